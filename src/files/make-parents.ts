/**
 * Owns the directories between a root and a file below it. It must never go through a symbolic link below the root: names come
 * from strangers, and a link that lies there would lead them out.
 */
import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { GranaryError } from "../errors.ts";
import { errnoOf, onDisk } from "./disk-error.ts";

/**
 * Makes the directories of `relative` (checked, `/` between its segments) below `root`, which exists, with `mode`. Resolves with
 * those that were made, outermost first. Throws `path-invalid` where something else lies in the way.
 */
export async function makeParents(root: string, relative: string, mode: number): Promise<string[]> {
  const made: string[] = [];
  let path = root;
  for (const segment of relative.split("/").slice(0, -1)) {
    path = join(path, segment);
    if (await makeDirectory(path, mode)) made.push(path);
  }
  return made;
}

/** True when it was not there before. */
async function makeDirectory(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode });
    return true;
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") return await onDisk(`creating ${path}`, Promise.reject(error));
  }
  if ((await onDisk(`looking at ${path}`, lstat(path))).isDirectory()) return false;
  throw new GranaryError("path-invalid", `${path} is in the way: a directory is needed there.`, {
    target: path,
  });
}
