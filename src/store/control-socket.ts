/**
 * Owns the place of the socket by which commands on this machine ask the server that holds a storage directory: in that directory, so that
 * the rights of its files say who may. It removes nothing but a socket, and is for who holds the directory.
 */
import { chmod, lstat, unlink } from "node:fs/promises";
import { GranaryError } from "../errors.ts";
import { onDisk, unlessAbsent } from "./disk-error.ts";

/** What fits into a socket's address everywhere; a longer one may be cut off without a word. */
const MOST_PATH_BYTES = 100;
/** For the user who runs the server, and root. */
const SOCKET_MODE = 0o600;

/** Makes way for a socket at `path`: one that a server left behind goes. Throws `store-damaged` where there can be none. */
export async function clearSocket(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MOST_PATH_BYTES)
    throw new GranaryError("store-damaged", `The path ${path} is too long for a socket.`);
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found === undefined) return;
  if (!found.isSocket()) throw new GranaryError("store-damaged", `Something else lies at ${path}.`);
  await unlessAbsent(`removing ${path}`, unlink(path));
}

/** Nobody else may ask, whatever the umask says. */
export async function closeSocket(path: string): Promise<void> {
  await onDisk(`changing the mode of ${path}`, chmod(path, SOCKET_MODE));
}
