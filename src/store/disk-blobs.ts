/**
 * Owns committed blobs on the local disk. Only the rename of a synced, verified Partial gives a file the name of its digest; whether its
 * bytes are still right is found out by verified-files.ts. It must never follow a symbolic link, never write into a blob, and never evict
 * on its own.
 */
import { constants, type Dirent } from "node:fs";
import { lstat, mkdir, readdir, statfs, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { GranaryError } from "../errors.ts";
import { diskError, errnoOf, onDisk, unlessAbsent } from "../files/disk-error.ts";
import { syncDirectory } from "../files/durable-file.ts";
import { BLOB_MODE, FOLDER_MODE } from "../files/modes.ts";
import { OpenFile } from "../files/open-file.ts";
import { type Clock, systemClock } from "../observe/clock.ts";
import { algorithmOf, type Digest, type DigestAlgorithm, encodedOf, isDigest } from "../oci/digest.ts";
import { adoptFile, checkAdoptable } from "./adopt-file.ts";
import type { BlobStore, ListedBlob, StoredBlob } from "./blob-store.ts";
import { DamagedListing, removeDamaged, setAside } from "./damaged-files.ts";
import { removePartialFiles } from "./file-partial.ts";
import { ALGORITHMS, type Layout } from "./layout.ts";
import type { Partial } from "./partial.ts";
import { withFolders } from "./storage-folders.ts";
import { VerifiedFiles } from "./verified-files.ts";

/** Files of a folder that are looked at in parallel: enough to keep the threads busy that Node has for files. */
const LOOKS_AT_ONCE = 8;

/** As fast as it can. */
const AT_ONCE = () => Number.POSITIVE_INFINITY;

/**
 * Needs a prepared Layout. Adopts only Partials of the Spool of the same Layout: a rename cannot cross file systems. What it
 * learns about files it knows until it is dropped; `clock` must be the one by which the file system dates files.
 */
export function openDiskBlobs(layout: Layout, clock: Clock = systemClock): BlobStore {
  const verified = new VerifiedFiles(clock);
  const damaged = new DamagedListing(layout.damaged, clock);
  return {
    stat: (digest) => statBlob(layout, digest),
    open: (digest) => openBlob(layout, verified, digest),
    adopt: (partial, digest) => withFolders(layout, () => adoptPartial(layout, verified, partial, digest)),
    remove: (digest) => removeBlob(layout, digest),
    setAside: (digest) => setBlobAside(layout, digest),
    damaged: () => damaged.list(),
    removeDamaged: (name) => removeDamaged(layout.damaged, name),
    list: (onStranger) => listBlobs(layout, onStranger),
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

async function openBlob(
  layout: Layout,
  verified: VerifiedFiles,
  digest: Digest,
): Promise<StoredBlob | undefined> {
  if (!(await hasOwnDirectory(layout, digest))) return undefined;
  const path = layout.blob(digest);
  const file = await openForReading(path);
  if (file === undefined) return undefined;
  try {
    const found = await file.look();
    if (!found.isFile) throw strangeError(path);
    return {
      digest,
      size: found.size,
      identity: found.identity,
      wasVerified: verified.knows(digest, found),
      read: (offset, into) => file.read(offset, into),
      move: (offset, most, move) => file.move(offset, most, move),
      isVerified: async () => verified.knows(digest, await file.look()),
      verify: async (pace = AT_ONCE) => verified.hash(digest, file, await file.look(), pace),
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
    // The answers of open(2) for a symbolic link with O_NOFOLLOW, and for a socket.
    if (errno === "ELOOP" || errno === "ENXIO") throw strangeError(path);
    throw diskError(error, `opening ${path}`);
  }
}

/** Where the blob is there already and known to be right, the partial's file is just deleted. */
async function adoptPartial(
  layout: Layout,
  verified: VerifiedFiles,
  partial: Partial,
  digest: Digest,
): Promise<void> {
  checkAdoptable(partial, digest);
  const files = layout.partial(partial);
  const path = layout.blob(digest);
  await createFanOut(layout.blobDirectory(digest));
  await hasOwnDirectory(layout, digest);
  if (await isThere(layout, verified, digest)) return await removePartialFiles(files);
  verified.trust(digest, await adoptFile({ partial, digest, files, path, mode: BLOB_MODE }));
}

/**
 * True only of a file that this process has verified: the same size does not mean the same bytes. The rename that follows replaces a link
 * or a file; it cannot replace a directory, so that is moved to the damaged files.
 */
async function isThere(layout: Layout, verified: VerifiedFiles, digest: Digest): Promise<boolean> {
  const path = layout.blob(digest);
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found?.isDirectory() === true) await setBlobAside(layout, digest);
  if (found?.isFile() !== true) return false;
  const stored = await openBlob(layout, verified, digest);
  await stored?.close();
  return stored?.wasVerified === true;
}

async function setBlobAside(layout: Layout, digest: Digest): Promise<void> {
  const directory = layout.blobDirectory(digest);
  const algorithm = algorithmOf(digest);
  // Something else in the place of the folder above also keeps the blob from being stored.
  const above = await unlessAbsent(`looking at ${directory}`, lstat(directory));
  if (above === undefined) return;
  const [path, name] = above.isDirectory()
    ? [layout.blob(digest), encodedOf(digest)]
    : [directory, encodedOf(digest).slice(0, 2)];
  if (await setAside(layout.damaged, path, `${algorithm}-${name}`)) await syncDirectory(dirname(path));
}

async function createFanOut(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: FOLDER_MODE });
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

/** O_NOFOLLOW looks only at the last part of a path; the directory above could be a link too. */
async function hasOwnDirectory(layout: Layout, digest: Digest): Promise<boolean> {
  const path = layout.blobDirectory(digest);
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found !== undefined && !found.isDirectory()) throw strangeError(path);
  return found !== undefined;
}

type OnStranger = ((path: string) => void) | undefined;

/** A folder that cannot be listed does not stop the rest; the error is thrown at the end, so that nobody takes the list for complete. */
async function* listBlobs(layout: Layout, onStranger: OnStranger): AsyncIterable<ListedBlob> {
  const failures: unknown[] = [];
  for (const algorithm of ALGORITHMS) {
    const directory = layout.blobsOf(algorithm);
    for (const entry of await entriesOf(directory, failures)) {
      const path = join(directory, entry.name);
      if (entry.isDirectory() && /^[0-9a-f]{2}$/.test(entry.name))
        yield* listFanOut(path, await entriesOf(path, failures), algorithm, onStranger);
      else onStranger?.(path);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** Sorted by name. A folder that is not there has none. */
async function entriesOf(path: string, failures: unknown[]): Promise<Dirent[]> {
  try {
    const found = await unlessAbsent(`listing ${path}`, readdir(path, { withFileTypes: true }));
    return (found ?? []).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    failures.push(error);
    return [];
  }
}

async function* listFanOut(
  directory: string,
  entries: readonly Dirent[],
  algorithm: DigestAlgorithm,
  onStranger: OnStranger,
): AsyncIterable<ListedBlob> {
  const prefix = basename(directory);
  for (let at = 0; at < entries.length; at += LOOKS_AT_ONCE) {
    const looks = entries
      .slice(at, at + LOOKS_AT_ONCE)
      .map(({ name }) => lookAt(join(directory, name), `${algorithm}:${name}`, name.startsWith(prefix)));
    for (const [index, found] of (await Promise.all(looks)).entries()) {
      if (found === "stranger") onStranger?.(join(directory, entries[at + index]?.name ?? ""));
      else if (found !== undefined) yield found;
    }
  }
}

/** undefined for one that is gone meanwhile. */
async function lookAt(
  path: string,
  digest: string,
  isInPlace: boolean,
): Promise<ListedBlob | "stranger" | undefined> {
  if (!isInPlace || !isDigest(digest)) return "stranger";
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found === undefined) return undefined;
  return found.isFile() ? { digest, size: found.size, changedAt: Math.floor(found.mtimeMs) } : "stranger";
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
