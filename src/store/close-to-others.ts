/**
 * Owns the closing of a storage directory that an earlier Granary left open to everybody on the machine. It only takes rights away, only
 * from what is this user's, follows no link, and leaves a directory alone in which other things lie as well.
 */
import { chmod, lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, unlessAbsent } from "../files/disk-error.ts";
import { FILE_MODE, FOLDER_MODE } from "../files/modes.ts";
import type { Layout } from "./layout.ts";

/** What lies in a storage directory that is nothing else; the file system's own folder belongs to nobody. */
const OURS =
  /^(blobs|partial|damaged|layout\.json(\.new)?|lock\.db(-.*)?|granary\.(db(-.*|\.new)?|sock|lock.*)|lost\+found)$/;

/** How many files and folders were closed. For who holds the directory. What cannot be changed stays as it is. */
export async function closeToOthers(layout: Layout): Promise<number> {
  const { directory, database } = layout;
  let closed = 0;
  for (const name of ["", "-wal", "-shm"]) closed += await close(`${database}${name}`, FILE_MODE);
  for (const name of ["layout.json", "lock.db"]) closed += await close(join(directory, name), FILE_MODE);
  for (const name of ["blobs", "partial", "damaged"]) closed += await closeTree(join(directory, name));
  // Last: as long as it is open, a start that was broken off begins again.
  if (await isOnlyOurs(directory)) closed += await close(directory, FOLDER_MODE);
  return closed;
}

/** What lies below a closed folder was closed before it, or can be reached by nobody. */
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

/** True of a plain file or directory of this user's that others than its group may use. What a group may do is its owner's word. */
async function isOpen(path: string): Promise<boolean> {
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found === undefined || (!found.isFile() && !found.isDirectory())) return false;
  return found.uid === process.geteuid?.() && (found.mode & 0o007) !== 0;
}

/**
 * By its name, of a file that was just seen to be one: to close any descriptor of a database would let go of its lock (POSIX), and nobody
 * else can put a link in its place.
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
