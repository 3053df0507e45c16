/**
 * Owns the lock that keeps two users out of one working directory: the operating system's own, through SQLite because Node
 * has no flock. It ends with its process, reaped or not, and holds between containers that share a volume (on NFS as far as
 * the server's lock service does). It writes no bytes, so a full disk does not keep it away. Granary's storage directory needs
 * none of this: there the database's own lock decides.
 */
import { lstat, open } from "node:fs/promises";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { GranaryError, messageOf } from "../errors.ts";
import { unlessAbsent } from "../files/disk-error.ts";
import { FILE_MODE } from "../files/modes.ts";

/** A process that was just killed holds its locks until the system has taken it down. */
const DYING_MS = 3_000;

/** So that a second user in this very process hears it at once. */
const lockedHere = new Set<string>();

/**
 * Takes the lock of `directory`; returns the idempotent release. Throws `config-invalid` when anybody else holds it, in this
 * process or another.
 */
export async function lockDirectory(directory: string): Promise<() => void> {
  if (lockedHere.has(directory)) throw inUse(directory);
  lockedHere.add(directory);
  try {
    const database = await lockIn(directory);
    return () => {
      if (database.open) lockedHere.delete(directory);
      database.close();
    };
  } catch (error) {
    lockedHere.delete(directory);
    throw error;
  }
}

async function lockIn(directory: string): Promise<Sqlite.Database> {
  const path = join(directory, "lock.db");
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found !== undefined && !found.isFile()) throw cannotHold(directory, `${path} is no file`);
  try {
    // An empty file is an empty database; SQLite would make one that everybody may read.
    if (found === undefined) await (await open(path, "a", FILE_MODE)).close();
    return lockOrClose(new Sqlite(path, { timeout: DYING_MS }));
  } catch (error) {
    throw isBusy(error) ? inUse(directory, error) : cannotHold(directory, messageOf(error), error);
  }
}

function lockOrClose(database: Sqlite.Database): Sqlite.Database {
  try {
    // Never committed: the lock is the transaction, and nothing is to be written, a journal neither.
    database.pragma("journal_mode = MEMORY");
    database.exec("BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && error.code.startsWith("SQLITE_BUSY");
}

function inUse(directory: string, cause?: unknown): GranaryError {
  const text = `The directory ${directory} is in use by another process: wait for that one or stop it, or use another directory.`;
  return new GranaryError("config-invalid", text, { target: directory, cause });
}

function cannotHold(directory: string, reason: string, cause?: unknown): GranaryError {
  const text = `The directory ${directory} cannot be locked: ${reason}. Make it writable for the user that runs granary, or use another one.`;
  return new GranaryError("config-invalid", text, { target: directory, cause });
}
