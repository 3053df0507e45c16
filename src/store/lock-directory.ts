/**
 * Owns the lock that keeps two processes from using one working directory: a lock of the operating system, taken through SQLite because Node
 * has no flock. It ends with the process however that ends, and works between containers that share a volume (on NFS if the server's lock
 * service does). It writes nothing, so it works on a full disk. The storage directory of a server needs none: its database is its lock.
 */
import { lstat, open } from "node:fs/promises";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { GranaryError, messageOf } from "../errors.ts";
import { unlessAbsent } from "../files/disk-error.ts";
import { FILE_MODE } from "../files/modes.ts";
import { DATABASE_RETRIES } from "../waiting/retry-numbers.ts";

/** Locked by this very process: SQLite would wait for itself. */
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
    return lockOrClose(new Sqlite(path, { timeout: DATABASE_RETRIES.lockMs }));
  } catch (error) {
    throw isBusy(error) ? inUse(directory, error) : cannotHold(directory, messageOf(error), error);
  }
}

function lockOrClose(database: Sqlite.Database): Sqlite.Database {
  try {
    // Never committed: the open transaction is the lock. The journal is in memory, because nothing is to be written.
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
