/**
 * Owns how a blob lies in the bucket: its key, from which its digest can be read back, and the parts in which it is uploaded. Pure; it never
 * asks the bucket, and knows nothing of the prefix that the settings put before every key.
 */
import { type ByteRange, byteRange } from "../bytes/byte-range.ts";
import { algorithmOf, type Digest, encodedOf, isDigest } from "../oci/digest.ts";

/** What all keys of blobs begin with. */
export const BLOB_KEYS = "blobs/";

/** The same of the small objects by which a bucket is tried; they live for a second. */
export const CHECK_KEYS = ".granary-check/";

const MIB = 2 ** 20;
/** Few requests for most blobs, and little to send again when one fails. */
const LEAST_PART = 8 * MIB;
/** Stores take 10,000 parts; some are left for whoever rounds differently. */
const MOST_PARTS = 9_000;

/** `blobs/<algorithm>/<hex>/<epoch>`: written by one holder of a lease only (G6), so that a late delete or upload never hits a newer object. */
export function objectKeyOf(digest: Digest, epoch: number): string {
  return `${keysOf(digest)}${epoch}`;
}

/** What the keys of everything that belongs to the blob begin with. */
export function keysOf(digest: Digest): string {
  return `${BLOB_KEYS}${algorithmOf(digest)}/${encodedOf(digest)}/`;
}

/** Beside an object that was made of some parts of the blob: which ones. */
export function partsKeyOf(objectKey: string): string {
  return `${objectKey}.parts`;
}

/** undefined for a key that `objectKeyOf` does not make. */
export function parseObjectKey(key: string): { readonly digest: Digest; readonly epoch: number } | undefined {
  const [, algorithm, hex, number] = /^blobs\/(\w+)\/([0-9a-f]+)\/([1-9]\d{0,15}|0)$/.exec(key) ?? [];
  const digest = `${algorithm}:${hex}`;
  const epoch = Number(number);
  return isDigest(digest) && Number.isSafeInteger(epoch) ? { digest, epoch } : undefined;
}

/** Bytes of each part of a blob of `size` bytes but the last, which is what is left. */
export function partSizeOf(size: number): number {
  return Math.max(LEAST_PART, Math.ceil(size / MOST_PARTS / MIB) * MIB);
}

/** How many parts a blob of `size` bytes has; 0 for an empty one, which is written in one piece. */
export function partCountOf(size: number): number {
  return Math.ceil(size / partSizeOf(size));
}

/** The bytes of part `number`, which counts from 1. Throws a RangeError where the blob has no such part. */
export function partRange(number: number, size: number): ByteRange {
  const start = (number - 1) * partSizeOf(size);
  if (!(number >= 1 && start < size)) throw new RangeError(`A blob of ${size} bytes has no part ${number}.`);
  return byteRange(start, Math.min(size, start + partSizeOf(size)));
}
