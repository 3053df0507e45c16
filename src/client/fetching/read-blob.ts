/**
 * Owns reading one blob without keeping it: as a stream that goes on after a cut, or whole in memory where it is small. No
 * reader comes to an end with wrong bytes: the last ones are held back until the digest is known.
 */
import { GranaryError } from "../../errors.ts";
import { PassThrough } from "../../fill/pass-through.ts";
import { foregroundClock } from "../../observe/clock.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Repository } from "../../oci/reference.ts";
import type { BlobReader, Source } from "../../source.ts";
import { abortedError, onAbort } from "../../waiting/abort.ts";
import { FETCH_POLICY } from "./fetch-policy.ts";
import type { VerbOptions } from "./progress.ts";

type SizedDigest = Pick<Descriptor, "digest" | "size">;

/**
 * A reader of the whole blob. Failures that another try can mend are mended from the byte where it stopped, up to 6 in a row
 * without progress. Reads throw what `Source` throws, `digest-mismatch`, `size-mismatch`, and `aborted` once `signal` says so.
 * The caller closes it.
 */
export function openBlob(
  source: Source,
  repository: Repository,
  { digest, size }: SizedDigest,
  { signal, clock = foregroundClock }: Pick<VerbOptions, "signal" | "clock"> = {},
): BlobReader {
  const origin = source.origin(repository, digest);
  const ask = { digest, size, origin, range: { start: 0, end: size }, whole: true };
  const reader = new PassThrough(ask, FETCH_POLICY, clock, Math.random);
  return signal === undefined ? reader : endedBy(reader, signal, `reading ${digest}`);
}

/** All bytes of a small blob, verified. Throws `manifest-invalid` above `limit` bytes, and what a reader throws. */
export async function readSmallBlob(
  source: Source,
  repository: Repository,
  wanted: SizedDigest,
  limit: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (wanted.size > limit) {
    const message = `${wanted.digest} has ${wanted.size} bytes; at most ${limit} are read into memory.`;
    throw new GranaryError("manifest-invalid", message, { expected: limit, found: wanted.size });
  }
  const reader = openBlob(source, repository, wanted, signal === undefined ? {} : { signal });
  try {
    return await readAll(reader, wanted.size);
  } finally {
    reader.close();
  }
}

async function readAll(reader: BlobReader, size: number): Promise<Uint8Array> {
  // One byte more: the verdict on the digest comes with the end, and the end is a read that gives 0.
  const bytes = new Uint8Array(size + 1);
  for (let at = 0; ; ) {
    const count = await reader.read(bytes.subarray(at));
    if (count === 0) return bytes.subarray(0, at);
    at += count;
  }
}

function endedBy(reader: BlobReader, signal: AbortSignal, doing: string): BlobReader {
  const stopListening = onAbort(signal, () => reader.close());
  return {
    async read(into) {
      try {
        return await reader.read(into);
      } catch (error) {
        throw signal.aborted ? abortedError(signal, doing) : error;
      }
    },
    close() {
      stopListening();
      reader.close();
    },
  };
}
