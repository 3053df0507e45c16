/**
 * Owns bringing one blob to a path: a Fill whose Partial lies beside the path, so that it is verified, resumed within and
 * across runs, and fetched over several connections. The path itself changes only when the whole is right.
 */
import { formatBytes } from "../../bytes/units.ts";
import { GranaryError, isGranaryError } from "../../errors.ts";
import { Fill } from "../../fill/fill.ts";
import { LaneOrder } from "../../fill/lane-order.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { type Digest, possibleSize } from "../../oci/digest.ts";
import { OCTET_STREAM } from "../../oci/media-types.ts";
import type { Repository } from "../../oci/reference.ts";
import type { Source } from "../../source.ts";
import { openFilePartial, removePartialFiles } from "../../store/file-partial.ts";
import type { PartialKey } from "../../store/partial.ts";
import { onAbort, untilAborted } from "../../waiting/abort.ts";
import { CountedOrigin } from "./counted-origin.ts";
import { FETCH_POLICY } from "./fetch-policy.ts";
import { checkPath, holdsDigest, partialOf, pathBlobs } from "./file-at-path.ts";
import { PhaseProgress, type VerbOptions } from "./progress.ts";
import { fetchSurroundings, watchFill } from "./verb-fill.ts";

export type WantedBlob = {
  readonly repository: Repository;
  readonly digest: Digest;
  /** Bytes; asked for by HEAD where no descriptor tells. */
  readonly size?: number;
  readonly mediaType?: string;
};

export type FetchBlobOptions = VerbOptions & {
  /** Told once what will come, before any byte does. */
  readonly onDescriptor?: (descriptor: Descriptor) => void;
  /** What becomes of the bytes so far when `signal` ends the fetch; "keep" lets the next one go on from them. */
  readonly partial?: "keep" | "drop";
  /** Permission bits of the file, 0o644 by default. */
  readonly mode?: number;
};

export type FetchedBlob = {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly path: string;
  /** Body bytes that were received for it: 0 when it was there already. */
  readonly fetched: number;
};

/**
 * Fetches the blob to `path`. A file there that is the blob already is left alone; another is replaced at the end, by a rename.
 * Equal bytes that an earlier run left in `<path>.partial` are not fetched again.
 *
 * Throws `not-found`, `unauthorized`, `denied`, `rate-limited`, `upstream-unavailable`, `upstream-protocol` (after 6 failures in
 * a row without progress), `digest-mismatch`, `size-mismatch`, `store-full`, `store-damaged`, `path-invalid`, `aborted`.
 */
export async function fetchBlobFrom(
  source: Source,
  wanted: WantedBlob,
  path: string,
  options: FetchBlobOptions = {},
): Promise<FetchedBlob> {
  await checkPath(path);
  const descriptor = await describe(source, wanted, options.signal);
  options.onDescriptor?.(descriptor);
  const { digest, size } = descriptor;
  const progress = new PhaseProgress("fetch", size, options.onProgress);
  let fetched = 0;
  if (!(await untilAborted(holdsDigest(path, digest, size), options.signal))) {
    const origin = new CountedOrigin(source.origin(wanted.repository, digest));
    const report = progress.part(size);
    await fetchWhole({ descriptor, upstream: wanted.repository.registry, path, origin, report, options });
    fetched = origin.received;
  }
  progress.end();
  return { digest, size, path, fetched };
}

type Fetch = {
  readonly descriptor: Descriptor;
  readonly upstream: string;
  readonly path: string;
  readonly origin: CountedOrigin;
  readonly report: (so: { readonly done: number }) => void;
  readonly options: FetchBlobOptions;
};

async function describe(
  source: Source,
  { repository, digest, size, mediaType = OCTET_STREAM }: WantedBlob,
  signal: AbortSignal | undefined,
): Promise<Descriptor> {
  // Some documents say 0 where their writer did not know.
  const known =
    possibleSize(digest, size) ?? (await untilAborted(source.blobSize(repository, digest), signal));
  return { digest, size: known, mediaType };
}

/** Bytes from two bodies that do not fit together are fetched once more, from nothing. */
async function fetchWhole(fetch: Fetch): Promise<void> {
  try {
    await runFill(fetch);
  } catch (error) {
    if (!isGranaryError(error, "digest-mismatch") || fetch.origin.breaks === 0) throw error;
    await runFill(fetch);
  }
}

/** Ends with the blob at its path, or throws why not. */
async function runFill(fetch: Fetch): Promise<void> {
  const { descriptor, path, report, options } = fetch;
  const { signal } = options;
  const fill = startFill(fetch);
  const stopListening = onAbort(signal, () => void fill.stop());
  try {
    await watchFill(fill, report);
  } finally {
    stopListening();
    await fill.stop();
  }
  if (fill.failure === undefined) return;
  if (signal?.aborted !== true) throw fill.failure;
  if (options.partial === "drop") await removePartialFiles(partialOf(path));
  const kept = options.partial === "drop" ? undefined : fill.facts.present;
  throw stoppedError(descriptor, path, kept, signal);
}

function startFill({ descriptor: { digest, size }, upstream, path, origin, options }: Fetch): Fill {
  const files = partialOf(path);
  const spool = {
    openPartial: (key: PartialKey, bytes: number) => openFilePartial(files, key, bytes),
    rangesOf: async () => [],
    list: async () => [],
    remove: () => removePartialFiles(files),
  };
  const around = fetchSurroundings(spool, pathBlobs(path, options.mode ?? 0o644), options.clock);
  const ask = { digest, upstream, size, origin, policy: FETCH_POLICY };
  return new Fill(ask, around, new LaneOrder(around.clock, around.log), () => undefined);
}

function stoppedError(
  { digest, size }: Descriptor,
  path: string,
  kept: number | undefined,
  { reason }: AbortSignal,
): GranaryError {
  const rest =
    kept === undefined
      ? "nothing is kept"
      : `${formatBytes(kept)} of ${formatBytes(size)} are kept in ${partialOf(path).data}, and the same command goes on from there`;
  return new GranaryError("aborted", `Stopped fetching ${digest}: ${rest}.`, {
    expected: size,
    found: kept ?? 0,
    target: path,
    cause: reason,
  });
}
