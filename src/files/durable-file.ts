/**
 * Owns the two ways a change to the directory tree is made to last: a small file replaced as a whole, and the sync of a
 * directory after a rename or a removal in it. It must never leave a half-written file under the final name.
 */
import { constants } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { diskError, errnoOf, onDisk, unlessAbsent } from "./disk-error.ts";
import { OpenFile } from "./open-file.ts";

/** Where `replaceFile` writes first; a crash may leave it behind. */
export function draftOf(path: string): string {
  return `${path}.new`;
}

/** Replaces `path` by temp file, sync and rename: a reader sees the old text or the new one. Throws `store-full`. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = draftOf(path);
  await onDisk(`removing ${temporary}`, rm(temporary, { force: true }));
  try {
    await writeSynced(temporary, text);
    await onDisk(`renaming ${temporary}`, rename(temporary, path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Renames and removals inside `path` outlast a power cut once this returns. A directory that is gone needs no sync. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await unlessAbsent(`opening ${path}`, OpenFile.open(path, constants.O_RDONLY));
  if (directory === undefined) return;
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Removes `path`, and makes that last. True when there was something to remove. */
export async function removeDurably(path: string): Promise<boolean> {
  try {
    await rm(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw diskError(error, `removing ${path}`);
  }
  await syncDirectory(dirname(path));
  return true;
}

async function writeSynced(path: string, text: string): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  const file = await onDisk(`creating ${path}`, OpenFile.open(path, flags));
  try {
    await file.write(0, [Buffer.from(text)]);
    await file.sync();
  } finally {
    await file.close();
  }
}
