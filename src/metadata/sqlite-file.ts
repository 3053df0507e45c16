/**
 * Owns the one connection to the SQLite file, which is also the lock of the storage directory. It checks the file before it writes to it,
 * migrates it, and writes it again when somebody removed the file under it. It never deletes a file that may have rows of ours.
 */
import { closeSync, constants, fsyncSync, lstatSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import Sqlite from "better-sqlite3";
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import { DATABASE_RETRIES } from "../waiting/retry-numbers.ts";
import { explained, guarded, inUseError, strangeFileError } from "./database-error.ts";
import { checkDatabase, inspectFile } from "./inspect-database.ts";
import { MIGRATIONS } from "./schema.ts";
import type { SqlDatabase, SqlStatement, SqlValue } from "./sql-database.ts";
import { KEEP_SUMS } from "./sums.ts";

/** The write-ahead log is cut to this size after a checkpoint: many writes on a full disk can make it large. */
const LOG_BYTES = 4 * 1024 * 1024;

/** Of the database, and so of the files that SQLite makes beside it: others on the machine may not read what was pulled. */
const MODE = 0o640;

/** Files that this process has open. SQLite's locks do not stop the process that has them, and opening the file once more would drop them. */
const openHere = new Set<string>();

/** Whoever looks into such a file would drop its lock. */
export function isOpenHere(path: string): boolean {
  return openHere.has(path);
}

export class SqliteFile implements SqlDatabase {
  readonly #path: string;
  #database: Sqlite.Database;
  /** Of the file that is open, `dev:ino`. */
  #identity: string | undefined;
  #isClosed = false;
  /** While the file is written again: "draft" when all rows are in the draft and nowhere else, "none" when nothing could be saved. */
  #successor: "draft" | "none" | undefined;

  /** Throws `store-damaged` (damaged or newer: left as it is), `store-full`, `config-invalid` (in use, not writable). */
  constructor(path: string) {
    if (openHere.has(path)) throw inUseError(path);
    this.#path = path;
    this.#database = explained(path, () => openDatabase(path));
    this.#identity = identityOf(path);
    openHere.add(path);
    // Left by a process that was killed while it wrote its file again.
    rmSync(draftOf(path), { force: true });
  }

  prepare<Row>(sql: string): SqlStatement<Row> {
    let compiled: { readonly by: Sqlite.Database; readonly statement: Sqlite.Statement<SqlValue[], Row> };
    const compile = () => ({ by: this.#database, statement: this.#database.prepare<SqlValue[], Row>(sql) });
    compiled = compile();
    const current = () => {
      if (compiled.by !== this.#current) compiled = compile();
      return compiled.statement;
    };
    return {
      run: (...values) => guarded(() => void current().run(...values)),
      get: (...values) => guarded(() => current().get(...values)),
      all: (...values) => guarded(() => current().all(...values)),
    };
  }

  inTransaction(work: () => void): void {
    guarded(() => this.#current.transaction(work).immediate());
  }

  /**
   * False when the file is where it should be. When it is gone, all rows are written to a new file there, and the answer is true. Throws
   * `store-full`, `store-damaged` when that cannot be done, `config-invalid` when another file lies there now. Synchronous: nobody writes meanwhile.
   */
  putBack(): boolean {
    if (!this.#isClosed && !this.#database.open) return explained(this.#path, () => this.#openAgain());
    const found = identityOf(this.#path);
    if (found !== undefined && found === this.#identity) return this.#saveLog();
    if (found !== undefined) throw replacedError(this.#path);
    return explained(this.#path, () => this.#rewrite());
  }

  close(): void {
    this.#isClosed = true;
    openHere.delete(this.#path);
    guarded(() => void this.#database.close());
  }

  /** The connection. When a new one could not be opened yet, that is a failure of the disk, and nobody has closed it. */
  get #current(): Sqlite.Database {
    if (this.#database.open || this.#isClosed) return this.#database;
    throw new GranaryError(
      "store-damaged",
      `The metadata file ${this.#path} is gone and could not be put back yet.`,
    );
  }

  /** When only the log was removed, its rows would be lost with this process: they are written into the database now. */
  #saveLog(): false {
    if (identityOf(`${this.#path}-wal`) === undefined)
      guarded(() => void this.#database.pragma("wal_checkpoint(PASSIVE)"));
    return false;
  }

  #rewrite(): true {
    const draft = draftOf(this.#path);
    rmSync(draft, { force: true });
    this.#successor = copyTo(this.#database, draft) ? "draft" : "none";
    this.#database.close();
    return this.#openAgain();
  }

  /** Can be tried again where it fails in the middle. */
  #openAgain(): true {
    if (this.#successor !== undefined) {
      // SQLite would take the log of the old file for that of the new one.
      for (const end of ["-wal", "-shm"]) rmSync(`${this.#path}${end}`, { force: true });
      if (this.#successor === "draft") renameSync(draftOf(this.#path), this.#path);
      this.#successor = undefined;
    }
    this.#database = openDatabase(this.#path);
    this.#identity = identityOf(this.#path);
    return true;
  }
}

/** Where the new file is written before it gets its name. */
function draftOf(path: string): string {
  return `${path}.new`;
}

function openDatabase(path: string): Sqlite.Database {
  for (const end of ["", "-wal", "-shm", "-journal"]) checkPlain(`${path}${end}`);
  const isChecked = inspectFile(path, DATABASE_RETRIES.lockMs);
  createUnlessThere(path);
  const database = new Sqlite(path, { timeout: DATABASE_RETRIES.lockMs });
  try {
    prepareDatabase(database, isChecked);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLite follows symbolic links, and creates the file that one points to: somewhere else, where nobody asked for it. */
function checkPlain(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile()) throw strangeFileError(path, found.isSymbolicLink());
}

/** An empty file is an empty database. SQLite would create one that everybody may read. If this fails, SQLite reports why. */
function createUnlessThere(path: string): void {
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, MODE));
  } catch {
    // It is there already, or SQLite will report the same failure.
  }
}

function prepareDatabase(database: Sqlite.Database, isChecked: boolean): void {
  // A real lock of the operating system: unlike a process number, it also works between two containers that share a volume.
  database.pragma("locking_mode = EXCLUSIVE");
  if (!isChecked) checkDatabase(database, true);
  // Only for a new file: then deleted rows can give their bytes back to the disk, while an older file uses them again itself. For a file that
  // has pages already the pragma writes one of them, and a start on a full disk would fail.
  if (Number(database.pragma("page_count", { simple: true })) === 0)
    database.pragma("auto_vacuum = INCREMENTAL");
  database.pragma("journal_mode = WAL");
  database.pragma(`journal_size_limit = ${LOG_BYTES}`);
  // A power cut may cost the last rows, never the file. Lost rows of blobs are found again by reconcile.ts.
  database.pragma("synchronous = NORMAL");
  database.pragma("foreign_keys = ON");
  const version = Number(database.pragma("user_version", { simple: true }));
  for (const [index, migration] of MIGRATIONS.entries()) {
    if (index >= version) migrate(database, migration, index + 1);
  }
  database.exec(KEEP_SUMS);
}

function migrate(database: Sqlite.Database, migration: string, version: number): void {
  database
    .transaction(() => {
      database.exec(migration);
      database.pragma(`user_version = ${version}`);
    })
    .immediate();
}

/** False when the old file cannot be read any more: then nothing can be saved. Throws when there is no room for the copy. */
function copyTo(database: Sqlite.Database, draft: string): boolean {
  try {
    createUnlessThere(draft);
    database.prepare("VACUUM INTO ?").run(draft);
  } catch (error) {
    if (!/^SQLITE_(IOERR|CORRUPT|NOTADB)/.test(codeOf(error)) || isWriteFailure(error)) throw error;
    rmSync(draft, { force: true });
    return false;
  }
  syncFile(draft);
  return true;
}

function isWriteFailure(error: unknown): boolean {
  return /^SQLITE_IOERR_(WRITE|FSYNC|DIR_FSYNC|TRUNCATE)/.test(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Sqlite.SqliteError ? error.code : "";
}

function syncFile(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** undefined when there is no such file. */
function identityOf(path: string): string | undefined {
  const found = guardedStat(path);
  return found && `${found.dev}:${found.ino}`;
}

function guardedStat(path: string) {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if (isGranaryError(error)) throw error;
    throw new GranaryError(
      "store-damaged",
      `The metadata file ${path} cannot be seen: ${messageOf(error)}.`,
      {
        target: path,
        cause: error,
      },
    );
  }
}

function replacedError(path: string): GranaryError {
  const text = `Another file lies in the place of the metadata file ${path}: restart granary to use that one. Until then what is learned goes into the old file and is lost with it.`;
  return new GranaryError("config-invalid", text, { target: path });
}
