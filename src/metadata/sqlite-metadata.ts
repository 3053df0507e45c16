/**
 * Owns the SQLite file: opening it without harm, migrations, and what its errors mean. A file that is damaged or newer is
 * refused before anything is written to it, and nothing is ever deleted.
 */
import { closeSync, constants, existsSync, openSync, readSync, statSync } from "node:fs";
import Sqlite from "better-sqlite3";
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import { blobRows } from "./blob-rows.ts";
import { linkRows } from "./link-rows.ts";
import { manifestRows } from "./manifest-rows.ts";
import type { Metadata } from "./metadata.ts";
import { MIGRATIONS, SCHEMA_VERSION } from "./schema.ts";
import type { SqlDatabase, SqlStatement, SqlValue } from "./sql-database.ts";
import { tagRows } from "./tag-rows.ts";
import { visibilityRows } from "./visibility-rows.ts";

/** Below this a full check costs milliseconds, so it is made at every start; above it only after an unclean end. */
const SMALL_BYTES = 16 * 1024 * 1024;

const BUSY_TIMEOUT_MS = 1_000;

/** SQLite's file format, sections 1.3.1 and 1.3.13: the magic, and where `user_version` stands. */
const MAGIC = "SQLite format 3\0";
const HEADER_BYTES = 100;
const USER_VERSION_OFFSET = 60;

/**
 * Opens `path`, creating it when absent. Throws `store-damaged` for a damaged or newer file, which is left as it is, and
 * `config-invalid` when another process holds it.
 */
export function openSqliteMetadata(path: string): Metadata {
  return explained(path, () => {
    inspectFile(path);
    const database = new Sqlite(path, { timeout: BUSY_TIMEOUT_MS });
    try {
      prepareDatabase(database);
      return metadataOver(database);
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

function metadataOver(database: Sqlite.Database): Metadata {
  const sql = wrapDatabase(database);
  const links = linkRows(sql);
  const { recordLink, link, forgetSizes } = links;
  return {
    ...blobRows(sql),
    ...manifestRows(sql, links),
    ...tagRows(sql),
    ...visibilityRows(sql),
    recordLink,
    link,
    forgetSizes,
    close: async () => guarded(() => void database.close()),
  };
}

/** Everything that can be known without writing: the header by hand, the rest through a connection that only reads. */
function inspectFile(path: string): void {
  if (!existsSync(path)) return;
  const bytes = statSync(path).size;
  if (bytes === 0) return;
  inspectHeader(path);
  const unclean = existsSync(`${path}-wal`);
  const database = new Sqlite(path, { readonly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    checkVersion(Number(database.pragma("user_version", { simple: true })));
    if (!unclean && bytes > SMALL_BYTES) return;
    const found = String(database.pragma("quick_check(1)", { simple: true }));
    // SQLite answers in several lines; a message is one sentence.
    if (found !== "ok") throw new Error(`its check says "${found.replaceAll("\n", " ")}"`);
  } finally {
    database.close();
  }
}

function inspectHeader(path: string): void {
  const header = Buffer.alloc(HEADER_BYTES);
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const count = readSync(descriptor, header, 0, HEADER_BYTES, 0);
    if (count < HEADER_BYTES || header.toString("latin1", 0, MAGIC.length) !== MAGIC) {
      throw new Error("it is not an SQLite database");
    }
  } finally {
    closeSync(descriptor);
  }
  checkVersion(header.readUInt32BE(USER_VERSION_OFFSET));
}

function checkVersion(version: number): void {
  if (version <= SCHEMA_VERSION) return;
  throw new Error(`it has schema version ${version}, and this Granary knows ${SCHEMA_VERSION}`);
}

function prepareDatabase(database: Sqlite.Database): void {
  // A real lock of the operating system: unlike a pid, it also holds between two containers that share a volume.
  database.pragma("locking_mode = EXCLUSIVE");
  database.pragma("journal_mode = WAL");
  // A power cut may cost the last second of rows, never the file; a lost row is found again by reconcile.
  database.pragma("synchronous = NORMAL");
  database.pragma("foreign_keys = ON");
  const version = Number(database.pragma("user_version", { simple: true }));
  for (const [index, migration] of MIGRATIONS.entries()) {
    if (index >= version) migrate(database, migration, index + 1);
  }
}

function migrate(database: Sqlite.Database, migration: string, version: number): void {
  database
    .transaction(() => {
      database.exec(migration);
      database.pragma(`user_version = ${version}`);
    })
    .immediate();
}

function wrapDatabase(database: Sqlite.Database): SqlDatabase {
  return {
    prepare: <Row>(sql: string): SqlStatement<Row> => {
      const statement = database.prepare<SqlValue[], Row>(sql);
      return {
        run: (...values) => guarded(() => void statement.run(...values)),
        get: (...values) => guarded(() => statement.get(...values)),
        all: (...values) => guarded(() => statement.all(...values)),
      };
    },
    inTransaction: (work) => guarded(() => database.transaction(work).immediate()),
  };
}

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw databaseError(error);
  }
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

/** One sentence for each way in which a file cannot be opened, with what the person can do about it. */
function explained<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isGranaryError(error)) throw error;
    throw openingError(path, error);
  }
}

/** SQLite's codes by what the person must do; whatever is none of them is taken for damage. */
function openingError(path: string, cause: unknown): GranaryError {
  const facts = { target: path, cause };
  const code = String(cause instanceof Error && "code" in cause ? cause.code : "");
  if (code.startsWith("SQLITE_BUSY")) {
    const text = `The metadata file ${path} is in use by another process. Stop that one, or set storage.directory to another place.`;
    return new GranaryError("config-invalid", text, facts);
  }
  if (/^(EACCES|EPERM|EROFS|SQLITE_(CANTOPEN|READONLY|PERM|AUTH))/.test(code)) {
    const text = `The metadata file ${path} cannot be opened: ${messageOf(cause)}. Make it writable for the user that runs granary, or set storage.directory to another place.`;
    return new GranaryError("config-invalid", text, facts);
  }
  if (code.startsWith("SQLITE_FULL")) return databaseError(cause);
  const text = `The metadata file ${path} cannot be used: ${messageOf(cause)}. Nothing was changed. Move it away (with its -wal and -shm files, if there are any) and start again: the blobs on disk are kept and will be registered anew. For a file of a newer Granary, run that one.`;
  return new GranaryError("store-damaged", text, facts);
}
