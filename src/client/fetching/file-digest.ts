/** Owns the digest of a file on disk, for fetches that may find their work done. It writes nothing. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat } from "node:fs/promises";
import { onDisk, unlessAbsent } from "../../files/disk-error.ts";
import { algorithmOf, type Digest, finishDigest } from "../../oci/digest.ts";

const CHUNK_BYTES = 1024 * 1024;

/** True when `path` is a plain file with exactly the bytes of `digest`. A file of another size is not read. */
export async function holdsDigest(path: string, digest: Digest, size: number): Promise<boolean> {
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found?.isFile() !== true || found.size !== size) return false;
  return (await onDisk(`reading ${path}`, digestOfFile(path, digest))) === digest;
}

async function digestOfFile(path: string, digest: Digest): Promise<Digest> {
  const hash = createHash(algorithmOf(digest));
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) hash.update(chunk);
  return finishDigest(hash, algorithmOf(digest));
}
