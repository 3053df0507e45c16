/**
 * Owns how a storage directory is found: made where it is missing, checked, or locked for one process. Nothing in it is changed before its
 * lock is taken.
 */
import { constants } from "node:fs";
import { access, readdir, realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { GranaryError } from "../errors.ts";
import { errnoOf, unlessAbsent } from "../files/disk-error.ts";
import { foldersOf, type Layout, layoutOf } from "./layout.ts";
import { readVersion, versionPath } from "./layout-version.ts";
import { lockDirectory } from "./lock-directory.ts";
import { createTree, makeFolders } from "./storage-folders.ts";
import { unusableError, usable } from "./unusable.ts";

/** A Layout that this process alone may use until `release` (idempotent). */
export type LockedLayout = Layout & { release(): Promise<void> };

/**
 * The layout of `directory`, which is created when missing; nothing in it is touched. Throws `config-invalid` when it cannot be
 * used (also because parts of it are another user's), `store-damaged` for a newer layout.
 */
export async function findLayout(directory: string): Promise<Layout> {
  const layout = await usable(directory, async () => {
    await createTree(resolve(directory));
    return layoutOf(await realpath(directory));
  });
  await checkOurs(layout);
  await readVersion(layout);
  return layout;
}

/**
 * The layout of a storage directory that is there already; nothing is created. Throws `config-invalid` for anything else, and what
 * `findLayout` throws.
 */
export async function findStorage(directory: string): Promise<Layout> {
  const root = await usable(directory, () => unlessAbsent(`looking for ${directory}`, realpath(directory)));
  const layout = root === undefined ? undefined : layoutOf(root);
  if (layout === undefined || (await readVersion(layout)) === undefined) {
    const text = `${resolve(directory)} is no storage directory of Granary: ${root === undefined ? "it is not there" : "it has no layout.json"}. Name the right one.`;
    throw new GranaryError("config-invalid", text, { target: directory });
  }
  const { uid } = await stat(layout.directory);
  if (process.geteuid?.() === 0 && uid !== 0) {
    const text = `${layout.directory} belongs to user ${uid}, who could not work with what root makes there: run this as that user (sudo -u "#${uid}" granary ...).`;
    throw new GranaryError("config-invalid", text, { target: directory });
  }
  await checkOurs(layout);
  return layout;
}

/**
 * Whether `directory` is there; nothing is created or locked. Throws what `findLayout` would, as far as that shows without a try: where it
 * is not there yet, also when nothing can be made in the folder above it.
 */
export async function checkStorage(directory: string): Promise<boolean> {
  const root = await usable(directory, () => unlessAbsent(`looking for ${directory}`, realpath(directory)));
  if (root === undefined) {
    await usable(directory, () => checkParent(resolve(directory)));
    return false;
  }
  const layout = layoutOf(root);
  await usable(directory, () => readdir(root));
  await checkOurs(layout);
  await readVersion(layout);
  return true;
}

/** That the nearest folder above `path` lets something be made in it. */
async function checkParent(path: string): Promise<void> {
  const parent = dirname(path);
  const isThere = (await unlessAbsent(`looking for ${parent}`, stat(parent))) !== undefined;
  if (isThere) await access(parent, constants.W_OK | constants.X_OK);
  else await checkParent(parent);
}

/** Finds `directory`, locks it and makes its folders, for who has no database there (the database is a lock itself). Throws what those throw. */
export async function prepareLayout(directory: string): Promise<LockedLayout> {
  const layout = await findLayout(directory);
  const release = await lockDirectory(layout.directory);
  try {
    await makeFolders(layout);
  } catch (error) {
    release();
    throw error;
  }
  return { ...layout, release: async () => release() };
}

/** Finds files of another user (a volume that root filled) before anything is opened, and names the first one. */
async function checkOurs(layout: Layout): Promise<void> {
  const { directory, database } = layout;
  const paths = [directory, database, `${database}-wal`, versionPath(layout), ...foldersOf(layout)];
  for (const path of paths) {
    try {
      await access(path, constants.R_OK | constants.W_OK);
    } catch (error) {
      if (["EACCES", "EROFS"].includes(errnoOf(error) ?? ""))
        throw await unusableError(directory, error, path);
    }
  }
}
