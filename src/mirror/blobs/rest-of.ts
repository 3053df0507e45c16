/**
 * Owns the rest of a whole blob whose file failed in the middle. The other reader begins at the blob's start, because only readers of the
 * whole have their end held back (F18), and the bytes that the client has already are skipped. They are compared as they go by: they
 * came from the file that failed, and right bytes after wrong ones would still be a wrong blob.
 */
import { GranaryError } from "../../errors.ts";
import type { BlobReader } from "../../source.ts";
import type { StoredBlob } from "../../store/blob-store.ts";

export type Given = {
  /** How many bytes of the whole the client has. */
  readonly skipped: number;
  /** Where they came from; undefined where no byte of it is in doubt. */
  readonly from: StoredBlob | undefined;
};

/** `reader` of the whole after what was `given`. `release` is called with the close. */
export function restOf(reader: BlobReader, { skipped, from }: Given, release: () => void): BlobReader {
  let at = 0;
  const read = async (into: Uint8Array): Promise<number> => {
    while (at < skipped) {
      const count = await reader.read(skipped - at < into.length ? into.subarray(0, skipped - at) : into);
      if (count === 0) return 0;
      if (from !== undefined) await compare(from, at, into.subarray(0, count));
      at += count;
    }
    return await reader.read(into);
  };
  const close = () => {
    reader.close();
    release();
  };
  return { read, close };
}

async function compare(given: StoredBlob, offset: number, right: Uint8Array): Promise<void> {
  const found = new Uint8Array(right.length);
  for (let at = 0; at < found.length; ) {
    const count = await given.read(offset + at, found.subarray(at));
    if (count === 0) break;
    at += count;
  }
  if (Buffer.compare(found, right) === 0) return;
  const reason = "what was read from the disk was damaged";
  const facts = { expected: given.digest, reason };
  throw new GranaryError("digest-mismatch", `${given.digest}: ${reason}.`, facts);
}
