/**
 * Owns the file that a fetch is for: whether its path can be used, whether it lies there already, and what lies beside it until it is
 * whole. The path itself only ever changes by a rename, so that nobody finds a part of a blob there.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { dirname } from "node:path";
import { GranaryError } from "../../errors.ts";
import { copy, lookAt, move, spaceAround } from "../../files/disk.ts";
import { onDisk } from "../../files/disk-error.ts";
import { algorithmOf, type Digest, finishDigest } from "../../oci/digest.ts";
import { adoptFile } from "../../store/adopt-file.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { PartialFiles } from "../../store/layout.ts";

const CHUNK_BYTES = 1024 * 1024;

/** Where the bytes of `path` lie until they are whole. */
export function partialOf(path: string): PartialFiles {
  return { data: `${path}.partial`, map: `${path}.partial.map` };
}

/** Throws `path-invalid` where `path` is a directory, or lies in none. */
export async function checkPath(path: string): Promise<void> {
  const found = await lookAt(path);
  if (found?.isDirectory() === true) {
    throw new GranaryError("path-invalid", `${path} is a directory: give the name of a file.`, {
      target: path,
    });
  }
  const parent = dirname(path);
  if (found !== undefined || (await lookAt(parent)) !== undefined) return;
  throw new GranaryError("path-invalid", `The directory ${parent} does not exist: create it first.`, {
    target: parent,
  });
}

/** True when `path` is a plain file with exactly the bytes of `digest`. A file of another size is not read. */
export async function holdsDigest(path: string, digest: Digest, size: number): Promise<boolean> {
  const found = await lookAt(path);
  if (found?.isFile() !== true || found.size !== size) return false;
  return (await onDisk(`reading ${path}`, digestOfFile(path, digest))) === digest;
}

async function digestOfFile(path: string, digest: Digest): Promise<Digest> {
  const hash = createHash(algorithmOf(digest));
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) hash.update(chunk);
  return finishDigest(hash, algorithmOf(digest));
}

/** A second file with the bytes of a whole one. */
export async function copyWhole(from: string, to: string): Promise<void> {
  const draft = partialOf(to).data;
  await copy(from, draft);
  await move(draft, to);
}

/**
 * The BlobStore of one fetch, whose only blob is the file at `path`. It never finds anything there, because what lies at the path is
 * replaced, and it lists nothing. `mode` is what the finished file may be used for, permission bits.
 */
export function pathBlobs(path: string, mode: number): BlobStore {
  return {
    stat: async () => undefined,
    open: async () => undefined,
    adopt: async (partial, digest) => {
      await adoptFile({ partial, digest, files: partialOf(path), path, mode });
    },
    remove: async () => undefined,
    setAside: async () => undefined,
    damaged: async () => [],
    removeDamaged: async () => undefined,
    async *list() {},
    disk: () => spaceAround(dirname(path)),
  };
}
