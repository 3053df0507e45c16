/** Owns the look at what lies in a file's way below a directory, before anything is written there. It changes nothing. */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { GranaryError } from "../../errors.ts";
import { unlessAbsent } from "../../files/disk-error.ts";
import { holdsDigest } from "../fetching/file-digest.ts";
import type { ArtifactFile } from "./artifact-files.ts";

/**
 * "held" where the file is there already with the right bytes, "absent" where its place is free. Throws `path-invalid` for
 * anything else in the way: another file, or a symbolic link on the way to it.
 */
export async function lookBelow(
  root: string,
  { path, digest, size }: ArtifactFile,
): Promise<"held" | "absent"> {
  let parent = root;
  for (const segment of path.split("/").slice(0, -1)) {
    parent = join(parent, segment);
    const found = await unlessAbsent(`looking at ${parent}`, lstat(parent));
    if (found === undefined) return "absent";
    if (!found.isDirectory()) throw inTheWay(parent, "a directory is needed there");
  }
  const target = join(root, path);
  if ((await unlessAbsent(`looking at ${target}`, lstat(target))) === undefined) return "absent";
  if (await holdsDigest(target, digest, size)) return "held";
  throw inTheWay(target, "the artifact brings other content under that name; remove it, or pull elsewhere");
}

function inTheWay(path: string, reason: string): GranaryError {
  return new GranaryError("path-invalid", `${path} is in the way: ${reason}.`, { target: path });
}
