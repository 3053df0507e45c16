/**
 * Owns committed blobs on the local disk. A file under its digest's name is whole and verified, because only a rename of a
 * synced Partial puts it there. It must never follow a symbolic link, never write into a blob, never evict on its own.
 */
import { constants, type Dir } from "node:fs";
import { lstat, mkdir, opendir, statfs, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GranaryError } from "../errors.ts";
import { type Digest, type DigestAlgorithm, isDigest } from "../oci/digest.ts";
import { adoptFile, checkAdoptable } from "./adopt-file.ts";
import type { BlobStore, StoredBlob } from "./blob-store.ts";
import { diskError, errnoOf, onDisk, unlessAbsent } from "./disk-error.ts";
import { syncDirectory } from "./durable-file.ts";
import { removePartialFiles } from "./file-partial.ts";
import { ALGORITHMS, type Layout, withFolders } from "./layout.ts";
import { OpenFile } from "./open-file.ts";
import type { Partial } from "./partial.ts";

type Listed = { readonly digest: Digest; readonly size: number; readonly changedAt: number };

/** Needs a prepared Layout. Adopts only Partials of the Spool of the same Layout: a rename cannot cross file systems. */
export function openDiskBlobs(layout: Layout): BlobStore {
  return {
    stat: (digest) => statBlob(layout, digest),
    open: (digest) => openBlob(layout, digest),
    adopt: (partial, digest) => withFolders(layout, () => adoptPartial(layout, partial, digest)),
    remove: (digest) => removeBlob(layout, digest),
    list: () => listBlobs(layout),
    disk: () => withFolders(layout, () => diskOf(layout)),
  };
}

async function statBlob(layout: Layout, digest: Digest): Promise<{ readonly size: number } | undefined> {
  if (!(await hasOwnDirectory(layout, digest))) return undefined;
  const path = layout.blob(digest);
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found === undefined) return undefined;
  if (!found.isFile()) throw strangeError(path);
  return { size: found.size };
}

async function openBlob(layout: Layout, digest: Digest): Promise<StoredBlob | undefined> {
  if (!(await hasOwnDirectory(layout, digest))) return undefined;
  const path = layout.blob(digest);
  const file = await openForReading(path);
  if (file === undefined) return undefined;
  try {
    const found = await file.stat();
    if (!found.isFile()) throw strangeError(path);
    return {
      digest,
      size: found.size,
      read: (offset, into) => file.read(offset, into),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openForReading(path: string): Promise<OpenFile | undefined> {
  try {
    return await OpenFile.open(path, constants.O_RDONLY);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return undefined;
    // What open(2) says to O_NOFOLLOW on a symbolic link, and to a socket.
    if (errno === "ELOOP" || errno === "ENXIO") throw strangeError(path);
    throw diskError(error, `opening ${path}`);
  }
}

/** Where the blob is there already, the partial's file only goes. */
async function adoptPartial(layout: Layout, partial: Partial, digest: Digest): Promise<void> {
  checkAdoptable(partial, digest);
  const files = layout.partial(digest);
  const path = layout.blob(digest);
  await createFanOut(layout.blobDirectory(digest));
  await hasOwnDirectory(layout, digest);
  if (await isThere(path, partial.size)) return await removePartialFiles(files);
  await adoptFile({ partial, digest, files, path, mode: 0o444 });
}

/** A link, or a file of another size, in the blob's place is damage, and the rename that follows heals it. */
async function isThere(path: string, size: number): Promise<boolean> {
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  return found?.isFile() === true && found.size === size;
}

async function createFanOut(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return;
    throw diskError(error, `creating ${path}`);
  }
  await syncDirectory(dirname(path));
}

async function removeBlob(layout: Layout, digest: Digest): Promise<void> {
  if (!(await hasOwnDirectory(layout, digest))) return;
  const path = layout.blob(digest);
  await unlessAbsent(`removing ${path}`, unlink(path));
}

/** O_NOFOLLOW guards only the last part of a path; the directory above could be the link (registry-clients.md 82). */
async function hasOwnDirectory(layout: Layout, digest: Digest): Promise<boolean> {
  const path = layout.blobDirectory(digest);
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found !== undefined && !found.isDirectory()) throw strangeError(path);
  return found !== undefined;
}

/** What cannot be listed keeps nothing else out; it is told at the end, so that nobody takes the list for the whole. */
async function* listBlobs(layout: Layout): AsyncIterable<Listed> {
  const failures: unknown[] = [];
  for (const algorithm of ALGORITHMS) {
    const directory = await openListing(layout.blobsOf(algorithm), failures);
    if (directory === undefined) continue;
    for await (const entry of directory) {
      if (!entry.isDirectory() || entry.name.length !== 2) continue;
      const fanOut = await openListing(join(directory.path, entry.name), failures);
      if (fanOut !== undefined) yield* listFanOut(fanOut, algorithm, entry.name);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function openListing(path: string, failures: unknown[]): Promise<Dir | undefined> {
  try {
    return await unlessAbsent(`listing ${path}`, opendir(path));
  } catch (error) {
    failures.push(error);
    return undefined;
  }
}

async function* listFanOut(
  directory: Dir,
  algorithm: DigestAlgorithm,
  prefix: string,
): AsyncIterable<Listed> {
  for await (const entry of directory) {
    const digest = `${algorithm}:${entry.name}`;
    if (!entry.name.startsWith(prefix) || !isDigest(digest)) continue;
    const found = await unlessAbsent(`looking at ${entry.name}`, lstat(join(directory.path, entry.name)));
    if (found?.isFile()) yield { digest, size: found.size, changedAt: Math.floor(found.mtimeMs) };
  }
}

async function diskOf(layout: Layout): Promise<{ readonly free: number; readonly size: number }> {
  const found = await onDisk(`looking at the disk of ${layout.directory}`, statfs(layout.directory));
  return { free: found.bavail * found.bsize, size: found.blocks * found.bsize };
}

function strangeError(path: string): GranaryError {
  return new GranaryError(
    "store-damaged",
    `${path} is not a plain file or directory of the store (symbolic links are not followed). Move it away.`,
    { target: path },
  );
}
