/**
 * Owns the check of an SQLite file without writing to it: the header is read directly, the rest through a connection that only reads. It must
 * never look at a file that this process has open: closing any descriptor of it drops SQLite's locks (POSIX).
 */
import { closeSync, constants, existsSync, openSync, readSync, statSync } from "node:fs";
import Sqlite from "better-sqlite3";
import { SCHEMA_VERSION } from "./schema.ts";

/** A file up to this size is fully checked at every start, which takes milliseconds; a larger one only after an unclean end. */
const SMALL_BYTES = 16 * 1024 * 1024;

/** SQLite's file format, sections 1.3.1 and 1.3.13: the magic, and where `user_version` stands. */
const MAGIC = "SQLite format 3\0";
const HEADER_BYTES = 100;
const USER_VERSION_OFFSET = 60;

/** What a read-only connection to a WAL database answers when the disk has no room for the shared index. */
const NO_ROOM_TO_READ = /^SQLITE_(FULL|CANTOPEN|IOERR_SHM(SIZE|OPEN|MAP))$/;

/**
 * Throws plain errors with a reason, and SQLite's own. False when a full disk prevents the check: then
 * the connection that writes, which needs no shared index, has to do it.
 */
export function inspectFile(path: string, timeout: number): boolean {
  if (!existsSync(path)) return true;
  const bytes = statSync(path).size;
  if (bytes === 0) return true;
  inspectHeader(path);
  const isThorough = existsSync(`${path}-wal`) || bytes <= SMALL_BYTES;
  const database = new Sqlite(path, { readonly: true, timeout });
  try {
    checkDatabase(database, isThorough);
    return true;
  } catch (error) {
    if (error instanceof Sqlite.SqliteError && NO_ROOM_TO_READ.test(error.code)) return false;
    throw error;
  } finally {
    database.close();
  }
}

/** Throws plain errors with a reason: a newer schema, or damage. */
export function checkDatabase(database: Sqlite.Database, isThorough: boolean): void {
  checkVersion(Number(database.pragma("user_version", { simple: true })));
  if (!isThorough) return;
  const found = String(database.pragma("quick_check(1)", { simple: true }));
  // SQLite answers in several lines; a message is one sentence.
  if (found !== "ok") throw new Error(`its check says "${found.replaceAll("\n", " ")}"`);
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
