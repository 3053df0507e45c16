/** Owns the error for a directory that cannot be used: which part of it, why, and what its owner can do about it. */
import { lstat } from "node:fs/promises";
import { GranaryError, messageOf } from "../errors.ts";
import { errnoOf } from "../files/disk-error.ts";

/**
 * `cause` as `config-invalid`, or `store-full` where there is no room. `path` is what could not be used: the directory, or something
 * in it. A GranaryError that has no errno of the system behind it stays as it is.
 */
export async function unusableError(
  directory: string,
  thrown: unknown,
  path = directory,
): Promise<GranaryError> {
  const cause = thrown instanceof GranaryError && thrown.cause !== undefined ? thrown.cause : thrown;
  if (cause instanceof GranaryError) return cause;
  const errno = errnoOf(cause);
  const code = errno === "ENOSPC" || errno === "EDQUOT" ? "store-full" : "config-invalid";
  const advice = await adviceFor(errno, directory, path);
  const text = `The storage directory ${directory} cannot be used: ${messageOf(cause)}. ${advice}, or set storage.directory to another place.`;
  return new GranaryError(code, text, { target: directory, cause });
}

/** Turns errors of the file system into one sentence that says what is wrong with the directory and what to do. */
export async function usable<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof GranaryError && errnoOf(error.cause) === undefined) throw error;
    throw await unusableError(directory, error);
  }
}

async function adviceFor(errno: string | undefined, directory: string, path: string): Promise<string> {
  switch (errno) {
    case "EACCES":
    case "EPERM":
      return await ownerAdvice(directory, path);
    case "EEXIST":
    case "ENOTDIR":
      return "Something else lies in its place: move that away";
    case "ENOENT":
    case "ELOOP":
      return "It, or what it links to, cannot be made: make that directory, or mount what belongs there";
    case "EROFS":
      return "Its file system is mounted read-only: mount it writable";
    case "ENOSPC":
    case "EDQUOT":
      return "There is no room: free some space there";
    case "EIO":
      return "The disk fails: see to it";
    default:
      return "Make it writable for the user that runs granary";
  }
}

/** The usual case in a container: the volume belongs to another user than the one that the image runs as. */
async function ownerAdvice(directory: string, path: string): Promise<string> {
  const owner = await ownerOf(path);
  const own = process.geteuid?.();
  if (owner === undefined || own === undefined || owner === own)
    return `Make ${path} readable and writable for the user that runs granary`;
  const group = process.getegid?.() ?? own;
  return `${path} belongs to user ${owner} and granary runs as user ${own}: run "chown -R ${own}:${group} ${directory}", or run granary as user ${owner} ("user:" in a compose file, --user of docker run)`;
}

async function ownerOf(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).uid;
  } catch {
    return undefined; // Not even that can be seen: the sentence leaves it out.
  }
}
