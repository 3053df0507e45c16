/**
 * Owns where the files of an artifact go: the look at what is in their way before anything is written, and the last step, in which
 * complete, verified files get their names, all of them or none. It must never replace a file, and never go through a symbolic link
 * below the root.
 */
import { link, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { GranaryError } from "../../errors.ts";
import { makeParents } from "../../files/directories.ts";
import { copy, lookAt, makeDirectory, move, remove } from "../../files/disk.ts";
import { errnoOf } from "../../files/disk-error.ts";
import { holdsDigest } from "../fetching/file-at-path.ts";
import type { ArtifactFile } from "./artifact-files.ts";

const DIRECTORY_MODE = 0o750;

export type PlacedFile = {
  /** Where the bytes lie, on the same file system as the place they are for. */
  readonly from: string;
  /** Checked relative path. */
  readonly path: string;
};

/**
 * "there" where the file is there already with the right bytes, "absent" where its place is free. Throws `path-invalid` for
 * anything else in the way: another file, or a symbolic link on the way to it. It changes nothing.
 */
export async function lookBelow(
  root: string,
  { path, digest, size }: ArtifactFile,
): Promise<"there" | "absent"> {
  let parent = root;
  for (const segment of path.split("/").slice(0, -1)) {
    parent = join(parent, segment);
    const found = await lookAt(parent);
    if (found === undefined) return "absent";
    if (!found.isDirectory()) throw inTheWay(parent, "a directory is needed there");
  }
  const target = join(root, path);
  if ((await lookAt(target)) === undefined) return "absent";
  if (await holdsDigest(target, digest, size)) return "there";
  throw inTheWay(target, "the artifact brings other content under that name; remove it, or pull elsewhere");
}

function inTheWay(path: string, reason: string): GranaryError {
  return new GranaryError("path-invalid", `${path} is in the way: ${reason}.`, { target: path });
}

/** Makes `directory`, which does not exist, appear with all of `files` in it at once; `tree` is a free name beside their bytes. */
export async function placeInNew(
  directory: string,
  files: readonly PlacedFile[],
  tree: string,
): Promise<void> {
  await remove(tree); // A process that died here has left one.
  await makeDirectory(tree, DIRECTORY_MODE);
  for (const { from, path } of files) {
    await makeParents(tree, path, DIRECTORY_MODE);
    await move(from, join(tree, path));
  }
  await move(tree, directory);
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
    for (const step of undo.toReversed()) await step().catch(() => undefined); // Somebody else has put something there by now.
    throw error;
  }
}

/** Link and copy both fail where something exists; a rename would replace it. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to).catch((error) => {
      if (errnoOf(error) === "EEXIST") throw error;
      return copy(from, to, "never");
    });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    throw new GranaryError("path-invalid", `${to} has appeared meanwhile: it is left as it is.`, {
      target: to,
    });
  }
}
