/**
 * Owns the place of the socket by which commands on this machine ask the server that holds a storage directory: in that directory, so that
 * the rights of its files say who may. It removes nothing but a socket, and is for who holds the directory.
 */
import { chmod, lstat, rename, unlink } from "node:fs/promises";
import { GranaryError } from "../errors.ts";
import { onDisk, unlessAbsent } from "../files/disk-error.ts";

/** What fits into a socket's address everywhere; a longer one may be cut off without a word. */
const MOST_PATH_BYTES = 100;
/** For the user who runs the server, and root. */
const SOCKET_MODE = 0o600;

/** Where the socket at `path` is made. Throws `store-damaged` where there can be none; what a server left behind there goes. */
export async function socketDraft(path: string): Promise<string> {
  const draft = `${path}.new`;
  if (Buffer.byteLength(draft) > MOST_PATH_BYTES)
    throw new GranaryError("store-damaged", `The path ${path} is too long for a socket.`);
  for (const place of [path, draft]) await removeSocket(place);
  return draft;
}

/**
 * Gives the socket that listens at `draft` its name, closed to others whatever the umask says. The result removes it, unless another
 * server's lies there by then: whoever listens removes what it was made as, and must not know its name.
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
