/**
 * Owns the socket file by which commands on this machine reach the server that has the lock of a storage directory. It lies in that
 * directory, so that file permissions decide who may use it. It deletes nothing but sockets, and is only for who has that lock.
 */
import { chmod, lstat, rename, unlink } from "node:fs/promises";
import { GranaryError } from "../errors.ts";
import { onDisk, unlessAbsent } from "../files/disk-error.ts";

/** What fits into a socket's address on every system; some silently cut off a longer one. */
const MOST_PATH_BYTES = 100;
/** For the user who runs the server, and root. */
const SOCKET_MODE = 0o600;

/** No server can have a socket at `path`, whether one runs there or not. */
export function isTooLongForSocket(path: string): boolean {
  return Buffer.byteLength(draftOf(path)) > MOST_PATH_BYTES;
}

function draftOf(path: string): string {
  return `${path}.new`;
}

/** Where the socket at `path` is made. Throws `store-damaged` where there can be none; a socket that an earlier server left there is deleted. */
export async function socketDraft(path: string): Promise<string> {
  const draft = draftOf(path);
  if (isTooLongForSocket(path))
    throw new GranaryError("store-damaged", `The path ${path} is too long for a socket.`);
  for (const place of [path, draft]) await removeSocket(place);
  return draft;
}

/**
 * Renames the socket that listens at `draft` to `path`, closed to others whatever the umask says. The returned function deletes it, unless
 * another server's socket lies there by then. Node deletes the path that a server listened at when the server closes: that is the draft's,
 * and so never another server's socket.
 */
export async function placeSocket(draft: string, path: string): Promise<() => Promise<void>> {
  await onDisk(`changing the mode of ${draft}`, chmod(draft, SOCKET_MODE));
  const own = await onDisk(`looking at ${draft}`, lstat(draft));
  await onDisk(`renaming ${draft}`, rename(draft, path));
  return async () => {
    const found = await unlessAbsent(`looking at ${path}`, lstat(path));
    if (found?.dev === own.dev && found.ino === own.ino) await unlessAbsent(`removing ${path}`, unlink(path));
  };
}

async function removeSocket(path: string): Promise<void> {
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found === undefined) return;
  if (!found.isSocket()) throw new GranaryError("store-damaged", `Something else lies at ${path}.`);
  await unlessAbsent(`removing ${path}`, unlink(path));
}
