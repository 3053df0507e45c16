/**
 * Owns the one connection to the SQLite file, which is also the lock of the storage directory: opened without harm, migrated, and
 * brought back under its name when somebody removed the file under it. Nothing is ever deleted but what has no rows of ours.
 */
import { closeSync, constants, fsyncSync, lstatSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import Sqlite from "better-sqlite3";
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import { explained, guarded, inUseError, strangeFileError } from "./database-error.ts";
import { checkDatabase, inspectFile } from "./inspect-database.ts";
import { MIGRATIONS } from "./schema.ts";
import type { SqlDatabase, SqlStatement, SqlValue } from "./sql-database.ts";
import { KEEP_SUMS } from "./sums.ts";

/** A process that was just killed holds its locks until the system has taken it down. */
const BUSY_TIMEOUT_MS = 3_000;
/** What the log gives back once it was written into the database: a burst on a full disk may have made it large. */
const LOG_BYTES = 4 * 1024 * 1024;

/** Of the database, and so of what SQLite makes beside it: nobody else on the machine may read what was pulled by whom. */
const MODE = 0o640;

/** Files that this process has open: SQLite's locks do not keep it from itself, and looking at the file would drop them. */
const openHere = new Set<string>();

export class SqliteFile implements SqlDatabase {
  readonly #path: string;
  #database: Sqlite.Database;
  /** Of the file that is open, `dev:ino`. */
  #identity: string | undefined;
  #isClosed = false;
  /** While the file is put back: all rows lie in the draft and have no other place, or there is nothing to be saved. */
  #successor: "draft" | "none" | undefined;

  /** Throws `store-damaged` (damaged or newer: left as it is), `store-full`, `config-invalid` (in use, not writable). */
  constructor(path: string) {
    if (openHere.has(path)) throw inUseError(path);
    this.#path = path;
    this.#database = explained(path, () => openDatabase(path));
    this.#identity = identityOf(path);
    openHere.add(path);
    // Of a process that was killed while it put its file back.
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
   * False when the file lies where it should. When it is gone, everything is written anew under its name, and true. Throws
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

  /** The connection; between two of them it is the disk that fails, and not that somebody closed it. */
  get #current(): Sqlite.Database {
    if (this.#database.open || this.#isClosed) return this.#database;
    throw new GranaryError(
      "store-damaged",
      `The metadata file ${this.#path} is gone and could not be put back yet.`,
    );
  }

  /** A log that was removed alone would be lost with this process: what is in it goes into the database now. */
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
      // A log without its database would be taken for the new one's.
      for (const end of ["-wal", "-shm"]) rmSync(`${this.#path}${end}`, { force: true });
      if (this.#successor === "draft") renameSync(draftOf(this.#path), this.#path);
      this.#successor = undefined;
    }
    this.#database = openDatabase(this.#path);
    this.#identity = identityOf(this.#path);
    return true;
  }
}

/** Where the file is written anew before it gets its name. */
function draftOf(path: string): string {
  return `${path}.new`;
}

function openDatabase(path: string): Sqlite.Database {
  for (const end of ["", "-wal", "-shm", "-journal"]) checkPlain(`${path}${end}`);
  const isChecked = inspectFile(path, BUSY_TIMEOUT_MS);
  createUnlessThere(path);
  const database = new Sqlite(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    prepareDatabase(database, isChecked);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLite follows links, also one to nothing, and would make its target: a file somewhere else that nobody asked for. */
function checkPlain(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile()) throw strangeFileError(path, found.isSymbolicLink());
}

/** An empty file is an empty database; SQLite would make one that everybody may read. What keeps it from being made, SQLite says. */
function createUnlessThere(path: string): void {
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, MODE));
  } catch {
    // It is there, or SQLite meets what there is to meet.
  }
}

function prepareDatabase(database: Sqlite.Database, isChecked: boolean): void {
  // A real lock of the operating system: unlike a pid, it also holds between two containers that share a volume.
  database.pragma("locking_mode = EXCLUSIVE");
  if (!isChecked) checkDatabase(database, true);
  // Of a new file: what is freed can be given back to the disk. An older one uses it again for itself. Said of a file that has pages,
  // it writes one of them, and a start on a full disk would fail.
  if (Number(database.pragma("page_count", { simple: true })) === 0)
    database.pragma("auto_vacuum = INCREMENTAL");
  database.pragma("journal_mode = WAL");
  database.pragma(`journal_size_limit = ${LOG_BYTES}`);
  // A power cut may cost the last second of rows, never the file; a lost row is found again by reconcile.
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

/** False when the old file cannot be read any more: it has no name, so there is nothing left to save. Throws for want of room. */
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
