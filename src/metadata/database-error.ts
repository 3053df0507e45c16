/** Owns what errors of SQLite mean, while it runs and when its file cannot be opened, and what a person can do about them. */
import Sqlite from "better-sqlite3";
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";

/** Runs `work`; what it throws becomes a GranaryError: `closed`, `store-full`, `store-damaged`. */
export function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw databaseError(error);
  }
}

/** True for a row that the tables do not allow: another try, or another disk, would not help. */
export function isRowsOwnFault(error: unknown): boolean {
  const cause = error instanceof GranaryError ? error.cause : error;
  return cause instanceof Sqlite.SqliteError && /^SQLITE_(CONSTRAINT|TOOBIG|MISMATCH|RANGE)/.test(cause.code);
}

/** Runs the opening of `path`; what it throws becomes a GranaryError: `config-invalid`, `store-full`, `store-damaged`. */
export function explained<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isGranaryError(error)) throw error;
    throw openingError(path, error);
  }
}

/** For a database that this process or another one has open. */
export function inUseError(path: string, cause?: unknown): GranaryError {
  const text = `The metadata file ${path} is in use by another process. Stop that one, or set storage.directory to another place.`;
  return new GranaryError("config-invalid", text, { target: path, cause, isInUse: true });
}

/** For something in its place that is not a file. */
export function strangeFileError(path: string, isLink: boolean): GranaryError {
  const what = isLink ? "a symbolic link, and none is followed there" : "not a plain file";
  const text = `The metadata file ${path} is ${what}. Nothing was created or changed: move it away, or put the file itself there, or point storage.directory at the place that is meant.`;
  return new GranaryError("config-invalid", text, { target: path });
}

function databaseError(error: unknown): GranaryError {
  if (isGranaryError(error)) return error;
  if (!(error instanceof Sqlite.SqliteError)) {
    // The driver says so with a TypeError: "The database connection is not open".
    return new GranaryError("closed", `The metadata cannot be used: ${messageOf(error)}.`, { cause: error });
  }
  const code = error.code === "SQLITE_FULL" ? "store-full" : "store-damaged";
  return new GranaryError(code, `The metadata failed: ${error.code}, ${error.message}.`, { cause: error });
}

/** Sorts the codes by what a person must do; any other code counts as damage. */
function openingError(path: string, cause: unknown): GranaryError {
  const facts = { target: path, cause };
  const code = String(cause instanceof Error && "code" in cause ? cause.code : "");
  if (code.startsWith("SQLITE_BUSY")) return inUseError(path, cause);
  if (/^(ENOSPC|EDQUOT|SQLITE_FULL)/.test(code)) {
    const text = `The disk has no room for the metadata file ${path}: free a few megabytes there, or set storage.directory to another place. Nothing was changed.`;
    return new GranaryError("store-full", text, facts);
  }
  if (/^(EACCES|EPERM|EROFS|SQLITE_(CANTOPEN|READONLY|PERM|AUTH))/.test(code)) {
    const text = `The metadata file ${path} cannot be opened: ${messageOf(cause)}. Make it writable for the user that runs granary, or set storage.directory to another place.`;
    return new GranaryError("config-invalid", text, facts);
  }
  if (/^(EIO|SQLITE_IOERR)/.test(code)) {
    const text = `The disk beneath the metadata file ${path} fails: ${code}, ${messageOf(cause)}. Nothing was changed. See to the disk, or set storage.directory to another place.`;
    return new GranaryError("store-damaged", text, facts);
  }
  const text = `The metadata file ${path} cannot be used: ${messageOf(cause)}. Nothing was changed. Move it away (with its -wal and -shm files, if there are any) and start again: the blobs on disk are kept and will be registered anew. For a file of a newer Granary, run that one.`;
  return new GranaryError("store-damaged", text, facts);
}
