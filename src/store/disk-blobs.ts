/**
 * Owns committed blobs on the local disk. Only a rename of a synced, verified Partial puts a file under its digest's name; what has
 * become of it since is verified-files.ts's to find out. It must never follow a symbolic link, never write into a blob, never evict
 * on its own.
 */
import { constants, type Dir } from "node:fs";
import { lstat, mkdir, opendir, statfs, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GranaryError } from "../errors.ts";
import { diskError, errnoOf, onDisk, unlessAbsent } from "../files/disk-error.ts";
import { syncDirectory } from "../files/durable-file.ts";
import { BLOB_MODE, FOLDER_MODE } from "../files/modes.ts";
import { OpenFile } from "../files/open-file.ts";
import { type Clock, systemClock } from "../observe/clock.ts";
import { algorithmOf, type Digest, type DigestAlgorithm, encodedOf, isDigest } from "../oci/digest.ts";
import { adoptFile, checkAdoptable } from "./adopt-file.ts";
import type { BlobStore, StoredBlob } from "./blob-store.ts";
import { listDamaged, removeDamaged, setAside } from "./damaged-files.ts";
import { removePartialFiles } from "./file-partial.ts";
import { ALGORITHMS, type Layout, withFolders } from "./layout.ts";
import type { Partial } from "./partial.ts";
import { VerifiedFiles } from "./verified-files.ts";

type Listed = { readonly digest: Digest; readonly size: number; readonly changedAt: number };

/** The whole at once. */
const AT_ONCE = () => Number.POSITIVE_INFINITY;

/**
 * Needs a prepared Layout. Adopts only Partials of the Spool of the same Layout: a rename cannot cross file systems. What is known of
 * files is known for the life of this store; `clock` must be the one that the file system dates by.
 */
export function openDiskBlobs(layout: Layout, clock: Clock = systemClock): BlobStore {
  const verified = new VerifiedFiles(clock);
  return {
    stat: (digest) => statBlob(layout, digest),
    open: (digest) => openBlob(layout, verified, digest),
    adopt: (partial, digest) => withFolders(layout, () => adoptPartial(layout, verified, partial, digest)),
    remove: (digest) => removeBlob(layout, digest),
    setAside: (digest) => setBlobAside(layout, digest),
    damaged: () => listDamaged(layout.damaged),
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
    // What open(2) says to O_NOFOLLOW on a symbolic link, and to a socket.
    if (errno === "ELOOP" || errno === "ENXIO") throw strangeError(path);
    throw diskError(error, `opening ${path}`);
  }
}

/** Where the blob is there already, and known to be right, the partial's file only goes. */
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
 * True only of what this process has verified: of the same size is not the same. A link or a file in its place is replaced by the rename
 * that follows; what no rename replaces, a directory, goes where damaged things go.
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
  // Something else in the place of the folder above keeps the blob from coming as well.
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

/** O_NOFOLLOW guards only the last part of a path; the directory above could be the link. */
async function hasOwnDirectory(layout: Layout, digest: Digest): Promise<boolean> {
  const path = layout.blobDirectory(digest);
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found !== undefined && !found.isDirectory()) throw strangeError(path);
  return found !== undefined;
}

type OnStranger = ((path: string) => void) | undefined;

/** What cannot be listed keeps nothing else out; it is told at the end, so that nobody takes the list for the whole. */
async function* listBlobs(layout: Layout, onStranger: OnStranger): AsyncIterable<Listed> {
  const failures: unknown[] = [];
  for (const algorithm of ALGORITHMS) {
    const directory = await openListing(layout.blobsOf(algorithm), failures);
    if (directory === undefined) continue;
    for await (const entry of directory) {
      const path = join(directory.path, entry.name);
      if (!entry.isDirectory() || !/^[0-9a-f]{2}$/.test(entry.name)) {
        onStranger?.(path);
        continue;
      }
      const fanOut = await openListing(path, failures);
      if (fanOut !== undefined) yield* listFanOut(fanOut, algorithm, entry.name, onStranger);
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
  onStranger: OnStranger,
): AsyncIterable<Listed> {
  for await (const entry of directory) {
    const path = join(directory.path, entry.name);
    const digest = `${algorithm}:${entry.name}`;
    const isNamed = entry.name.startsWith(prefix) && isDigest(digest);
    const found = isNamed ? await unlessAbsent(`looking at ${path}`, lstat(path)) : undefined;
    if (isNamed && found?.isFile() === true)
      yield { digest, size: found.size, changedAt: Math.floor(found.mtimeMs) };
    else if (!isNamed || found !== undefined) onStranger?.(path);
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
