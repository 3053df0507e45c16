/**
 * Owns the folders below the storage directory: they are made at the start, and again where somebody removed one while a server runs. Only
 * who has the lock of the directory may do so. What is stored there is never deleted here.
 */
import { lstat, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GranaryError, isGranaryError } from "../errors.ts";
import { errnoOf } from "../files/disk-error.ts";
import { FOLDER_MODE } from "../files/modes.ts";
import { foldersOf, type Layout } from "./layout.ts";
import { readVersion, writeVersion } from "./layout-version.ts";
import { usable } from "./unusable.ts";

/**
 * Creates the folders that are missing, for who has the lock of the directory. Returns a text that identifies these folders: it is another
 * one after somebody removed a folder and it was made again. Throws `config-invalid` when it cannot be written, `store-full`, `store-damaged` for a symbolic
 * link where a directory belongs.
 */
export async function makeFolders(layout: Layout): Promise<string> {
  return await usable(layout.directory, async () => {
    await createTree(layout.directory);
    const identity = await createInside(layout, await readVersion(layout));
    await removeOldLocks(layout.directory);
    await probe(layout);
    return identity;
  });
}

/**
 * Runs `work`. If it fails because somebody removed a folder, the folder is made again, and `work` runs once more. Throws what `work` throws,
 * or `store-full`, `store-damaged`: in a running server a directory that cannot be used counts as a failing disk, which callers can do
 * without.
 */
export async function withFolders<T>(layout: Layout, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const cause = error instanceof GranaryError ? error.cause : error;
    if (errnoOf(cause) !== "ENOENT") throw error;
    await makeFoldersAgain(layout);
    return await work();
  }
}

async function makeFoldersAgain(layout: Layout): Promise<void> {
  try {
    await makeFolders(layout);
  } catch (error) {
    if (!isGranaryError(error, "config-invalid")) throw error;
    throw new GranaryError("store-damaged", error.message, { target: layout.directory, cause: error.cause });
  }
}

/**
 * Creates the directory `path` and those above it, where they are missing. Throws what the file system does.
 * Not `mkdir` with `recursive`: Node's never ends where a file system always answers ENOENT, as /proc does.
 */
export async function createTree(path: string, mode = FOLDER_MODE): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (errnoOf(error) === "EEXIST" && (await stat(path)).isDirectory()) return;
    if (errnoOf(error) !== "ENOENT" || dirname(path) === path) throw error;
    // The folders above are not only ours.
    await createTree(dirname(path), 0o777);
    await mkdir(path, { mode });
  }
}

async function createInside(layout: Layout, version: number | undefined): Promise<string> {
  const identities: string[] = [];
  for (const path of foldersOf(layout)) identities.push(await createDirectory(path));
  if (version === undefined) await writeVersion(layout);
  return identities.join(" ");
}

/** Makes a file where partials are: no other test shows as surely that we can write there. */
async function probe(layout: Layout): Promise<void> {
  const path = join(layout.partialsOf("sha256"), ".probe");
  await rm(path, { force: true });
  await writeFile(path, "", { flag: "wx" });
  await rm(path, { force: true });
}

/** Granary 0.1 wrote its process number into a file; with the lock that we have, it means nothing. */
async function removeOldLocks(directory: string): Promise<void> {
  const isOld = (name: string) => /^granary\.lock(\.\d+(\.stale)?)?$/.test(name);
  for (const name of await readdir(directory)) {
    if (isOld(name)) await rm(join(directory, name), { force: true });
  }
}

/** How often this process has made each folder: ext4 gives a new folder the inode number of the one that was just removed. */
const timesMade = new Map<string, number>();

/** Returns a text that is another one when the folder is not the same any more. */
async function createDirectory(path: string): Promise<string> {
  try {
    await mkdir(path, { mode: FOLDER_MODE });
    timesMade.set(path, (timesMade.get(path) ?? 0) + 1);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
  const found = await lstat(path, { bigint: true });
  if (found.isDirectory()) return `${found.dev}:${found.ino}:${timesMade.get(path) ?? 0}`;
  throw new GranaryError(
    "store-damaged",
    `${path} is not a directory of its own (symbolic links are not followed). Move it away, or point storage.directory itself at the other place.`,
    { target: path },
  );
}
