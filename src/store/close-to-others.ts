/**
 * Owns how a storage directory is closed that an earlier Granary left open to everybody on the machine. It only takes rights away, and only
 * from files of this user; it follows no link, and leaves a directory alone in which other things lie as well.
 */
import { chmod, lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, unlessAbsent } from "../files/disk-error.ts";
import { FILE_MODE, FOLDER_MODE } from "../files/modes.ts";
import type { Layout } from "./layout.ts";

/** All names that lie in a directory which is used for nothing else; `lost+found` is the file system's own. */
const OURS =
  /^(blobs|partial|damaged|authority|layout\.json(\.new)?|admin-token(\.new)?|lock\.db(-.*)?|granary\.(db(-.*|\.new)?|sock|lock.*)|lost\+found)$/;

/** Returns how many files and folders were closed. Only for who has the lock of the directory. What cannot be changed stays as it is. */
export async function closeToOthers(layout: Layout): Promise<number> {
  const { directory, database } = layout;
  let closed = 0;
  for (const name of ["", "-wal", "-shm"]) closed += await close(`${database}${name}`, FILE_MODE);
  for (const name of ["layout.json", "lock.db"]) closed += await close(join(directory, name), FILE_MODE);
  for (const name of ["blobs", "partial", "damaged"]) closed += await closeTree(join(directory, name));
  // Last: as long as it is open, the next start does all of this again, also when this one is interrupted.
  if (await isOnlyOurs(directory)) closed += await close(directory, FOLDER_MODE);
  return closed;
}

/** Skips a folder that is closed: what is inside was closed before it, and others cannot reach it. */
async function closeTree(path: string): Promise<number> {
  if (!(await isOpen(path))) return 0;
  let closed = 0;
  for await (const entry of await opendir(path)) {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) closed += await closeTree(inside);
    else if (entry.isFile()) closed += await close(inside, FILE_MODE);
  }
  return closed + (await close(path, FOLDER_MODE));
}

async function isOnlyOurs(directory: string): Promise<boolean> {
  for await (const { name } of await opendir(directory)) if (!OURS.test(name)) return false;
  return true;
}

/** True of a plain file or directory of this user's that others than its group may use. What a group may do is left to the owner. */
async function isOpen(path: string): Promise<boolean> {
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found === undefined || (!found.isFile() && !found.isDirectory())) return false;
  return found.uid === process.geteuid?.() && (found.mode & 0o007) !== 0;
}

/**
 * Changes the mode by the path, of what was just seen to be a file: an open and close of the database file would drop SQLite's lock on it
 * (POSIX), and nobody else can put a link in its place.
 */
async function close(path: string, mode: number): Promise<number> {
  if (!(await isOpen(path))) return 0;
  try {
    await chmod(path, (await lstat(path)).mode & (mode | 0o7000));
    return 1;
  } catch (error) {
    // Gone meanwhile, or on a file system without such rights.
    if (errnoOf(error) !== undefined) return 0;
    throw error;
  }
}
