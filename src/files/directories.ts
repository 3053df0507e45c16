/**
 * Owns the making of directories that a caller named, or that lie between such a one and a file below it. It must never go through a
 * symbolic link below the root: names come from strangers, and a link that lies there would lead out of it.
 */
import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { GranaryError } from "../errors.ts";
import { diskError, errnoOf, onDisk } from "./disk-error.ts";

/**
 * Makes the directory that a person named, with those above it; what is there already stays as it is. Throws `path-invalid` where
 * `directory`, or one above it, is no directory.
 */
export async function makeRoot(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o755 });
  } catch (error) {
    if (!["EEXIST", "ENOTDIR"].includes(errnoOf(error) ?? ""))
      throw diskError(error, `creating ${directory}`);
    const message = `${directory} cannot be a directory: a file is in the way.`;
    throw new GranaryError("path-invalid", message, { target: directory, cause: error });
  }
}

/**
 * Makes the directories of `relative` (checked, `/` between its segments) below `root`, which exists, with `mode`. Resolves with
 * those that were made, outermost first. Throws `path-invalid` where something else lies in the way.
 */
export async function makeParents(root: string, relative: string, mode: number): Promise<string[]> {
  const made: string[] = [];
  let path = root;
  for (const segment of relative.split("/").slice(0, -1)) {
    path = join(path, segment);
    if (await makeUnlessThere(path, mode)) made.push(path);
  }
  return made;
}

/** True when it was not there before. */
async function makeUnlessThere(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode });
    return true;
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw diskError(error, `creating ${path}`);
  }
  if ((await onDisk(`looking at ${path}`, lstat(path))).isDirectory()) return false;
  throw new GranaryError("path-invalid", `${path} is in the way: a directory is needed there.`, {
    target: path,
  });
}
