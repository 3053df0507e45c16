/**
 * Owns the last step of an artifact's pull: complete, verified files get their names, all of them or none. It must never replace
 * a file, and never go through a symbolic link below the root.
 */
import { constants } from "node:fs";
import { copyFile, link, mkdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { GranaryError } from "../../errors.ts";
import { errnoOf, onDisk } from "../../files/disk-error.ts";
import { makeParents } from "../../files/make-parents.ts";

export const DIRECTORY_MODE = 0o750;

export type PlacedFile = {
  /** Where the bytes lie, on the same file system as the place they are for. */
  readonly from: string;
  /** Checked relative path. */
  readonly path: string;
};

/** Makes `directory`, which does not exist, appear with all of `files` in it at once; `tree` is a free name beside their bytes. */
export async function placeInNew(
  directory: string,
  files: readonly PlacedFile[],
  tree: string,
): Promise<void> {
  // A process that died here has left one.
  await onDisk(`removing ${tree}`, rm(tree, { recursive: true, force: true }));
  await onDisk(`creating ${tree}`, mkdir(tree, { mode: DIRECTORY_MODE }));
  for (const { from, path } of files) {
    await makeParents(tree, path, DIRECTORY_MODE);
    await onDisk(`renaming ${from}`, rename(from, join(tree, path)));
  }
  await onDisk(`renaming ${tree} to ${directory}`, rename(tree, directory));
}

/** Puts `files` beside what `directory` holds already. After a failure nothing of them is left. Throws `path-invalid`. */
export async function placeAmongOthers(directory: string, files: readonly PlacedFile[]): Promise<void> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    for (const { from, path } of files) {
      const made = await makeParents(directory, path, DIRECTORY_MODE);
      for (const parent of made) undo.push(() => rmdir(parent));
      const target = join(directory, path);
      await linkOrCopy(from, target);
      undo.push(() => rm(target));
    }
  } catch (error) {
    for (const step of undo.toReversed()) await step().catch(() => undefined); // Somebody else uses it by now.
    throw error;
  }
}

/** Either fails where something is; a rename would replace it. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to).catch((error) => {
      if (errnoOf(error) === "EEXIST") throw error;
      return copyFile(from, to, constants.COPYFILE_EXCL);
    });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") return await onDisk(`writing ${to}`, Promise.reject(error));
    throw new GranaryError("path-invalid", `${to} has appeared meanwhile: it is left as it is.`, {
      target: to,
    });
  }
}
