/**
 * Owns how a failure of the file system becomes a GranaryError. No room is `store-full`, everything else is
 * `store-damaged`: the disk did not do what was asked, and the sentence says what that was.
 */
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";

/**
 * The code of an error of the operating system, such as `ENOENT`, also where a GranaryError was made from it. Undefined for any other
 * error.
 */
export function errnoOf(error: unknown): string | undefined {
  if (isGranaryError(error)) return errnoOf(error.cause);
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** `doing` completes the sentence "Failed while ...", such as "writing /data/partial/sha256/ab". */
export function diskError(error: unknown, doing: string): GranaryError {
  if (isGranaryError(error)) return error;
  const errno = errnoOf(error);
  if (errno === "ENOSPC" || errno === "EDQUOT") {
    return new GranaryError("store-full", `The disk has no room: ${errno} while ${doing}.`, { cause: error });
  }
  return new GranaryError("store-damaged", `Failed while ${doing}: ${messageOf(error)}.`, { cause: error });
}

/** Awaits `work`; what it throws becomes a GranaryError that names `doing`. */
export async function onDisk<T>(doing: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw diskError(error, doing);
  }
}

/** Awaits `work`; absence of the file is `undefined`, not an error. */
export async function unlessAbsent<T>(doing: string, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw diskError(error, doing);
  }
}
