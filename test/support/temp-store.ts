/** Owns a prepared storage directory with its Spool and BlobStore for one test, and ways to put content into them. */
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import { lengthOf } from "../../src/bytes/byte-range.ts";
import type { Digest, DigestAlgorithm } from "../../src/oci/digest.ts";
import type { BlobStore } from "../../src/store/blob-store.ts";
import { openDiskBlobs } from "../../src/store/disk-blobs.ts";
import type { Layout } from "../../src/store/layout.ts";
import type { Partial, Spool } from "../../src/store/partial.ts";
import { openSpool } from "../../src/store/spool.ts";
import { findLayout } from "../../src/store/storage-directory.ts";
import { makeFolders } from "../../src/store/storage-folders.ts";
import { digestOfPattern, patternBytes } from "./pattern.ts";
import { tempDirectory } from "./temp-directory.ts";

/** Whose partials tests make where it does not matter. */
const OWNER = "fake.test";

export function owned(digest: Digest) {
  return { digest, upstream: OWNER };
}

export type TempStore = { readonly layout: Layout; readonly spool: Spool; readonly blobs: BlobStore };

/** In `directory`, or in a new one that goes with the test. Nobody holds it: that is the database's, where there is one. */
export async function tempStore(directory?: string): Promise<TempStore> {
  const layout = await findLayout(directory ?? (await tempDirectory()));
  await makeFolders(layout);
  return { layout, spool: openSpool(layout), blobs: openDiskBlobs(layout) };
}

/** Writes `range` of the pattern `seed` and marks it present, as a Fill does. */
export async function put(partial: Partial, seed: number, range: ByteRange): Promise<void> {
  await partial.write(range.start, [patternBytes(seed, range.start, lengthOf(range))]);
  partial.present.add(range);
}

/** A Partial that holds the whole pattern `seed`. */
export async function fullPartial(
  spool: Spool,
  seed: number,
  size: number,
  algorithm: DigestAlgorithm = "sha256",
): Promise<Partial> {
  const partial = await spool.openPartial(owned(digestOfPattern(seed, size, algorithm)), size);
  await put(partial, seed, { start: 0, end: size });
  return partial;
}

/** Commits the pattern `seed` as a Blob and returns its Digest. */
export async function adoptPattern(store: TempStore, seed: number, size: number): Promise<Digest> {
  const partial = await fullPartial(store.spool, seed, size);
  await store.blobs.adopt(partial, partial.digest);
  await partial.close();
  return partial.digest;
}

/** The `length` bytes that `from` gives at `offset`. */
export async function readBytes(
  from: { read(offset: number, into: Uint8Array): Promise<number> },
  offset: number,
  length: number,
): Promise<Buffer> {
  const into = Buffer.alloc(length);
  return into.subarray(0, await from.read(offset, into));
}
