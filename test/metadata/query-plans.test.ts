/**
 * That no question to the database reads a whole table, however many rows it has: every statement that is compiled when a database is opened is
 * looked at, as SQLite says that it will run it (https://sqlite.org/eqp.html). What reads all of something anyway stands here, with why it may.
 */
import Sqlite from "better-sqlite3";
import { describe, expect, it, vi } from "vitest";
import { openDatabase } from "../../src/metadata/database.ts";
import { SqliteFile } from "../../src/metadata/sqlite-file.ts";
import { KEEP_SUMS } from "../../src/metadata/sums.ts";
import { tempStore } from "../support/temp-store.ts";

/** Beginnings of statements. None of them is asked while a request waits, but the first three, which are bounded. */
const MAY_READ_ALL: readonly (readonly [beginning: string, why: string])[] = [
  [
    "DELETE FROM tags WHERE (upstream, repository, tag, accept_class) IN (SELECT upstream, repository, tag, accept_class FROM tags WHERE accept_class <> '' ORDER BY checked_at LIMIT",
    "the first few of an index of these alone",
  ],
  [
    "DELETE FROM lists WHERE rowid IN (SELECT rowid FROM lists ORDER BY checked_at, rowid LIMIT",
    "the first few",
  ],
  [
    "DELETE FROM sightings WHERE (upstream, repository, tag, digest) IN (SELECT",
    "beyond 20,000 that are all held back",
  ],
  ["SELECT id, body FROM jobs", "a few hundred, at the start"],
  ["SELECT after_digest AS after FROM edge_backfill", "one row"],
  ["UPDATE edge_backfill SET after_digest", "one row"],
  ["SELECT since, served, fetched", "one row"],
  ["DELETE FROM events WHERE id <=", "at most 5,000, when records are pruned"],
  ["SELECT DISTINCT kind FROM events", "at most 5,000, when records are pruned"],
  ["UPDATE events SET client = NULL", "at most 5,000, when records are pruned"],
  ["DELETE FROM pulls WHERE id <=", "at most 10,000, when records are pruned"],
  ["UPDATE pulls SET client = NULL", "at most 10,000, when records are pruned"],
  ["DELETE FROM client_traffic WHERE (day, client) IN", "bounded, when records are pruned"],
];

describe("statements", () => {
  it("read no whole table, but the few that may", async () => {
    const { layout } = await tempStore();
    const statements = await statementsOf(layout.database);
    expect(statements.length).toBeGreaterThan(100);
    const database = new Sqlite(layout.database);
    database.exec(KEEP_SUMS);
    const tables = database
      .prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .all()
      .map(({ name }) => name);
    const reading = statements.filter((sql) => readsAll(database, sql, tables));
    database.close();
    expect(reading.filter((sql) => !MAY_READ_ALL.some(([beginning]) => sql.startsWith(beginning)))).toEqual(
      [],
    );
    const unused = MAY_READ_ALL.filter(([beginning]) => !reading.some((sql) => sql.startsWith(beginning)));
    expect(unused).toEqual([]);
  });
});

/** In one line each. */
async function statementsOf(path: string): Promise<string[]> {
  const prepare = vi.spyOn(SqliteFile.prototype, "prepare");
  const { close } = openDatabase(path);
  const statements = prepare.mock.calls.map(([sql]) =>
    sql.replaceAll(/\s+/g, " ").replaceAll("( ", "(").trim(),
  );
  prepare.mockRestore();
  await close();
  return [...new Set(statements)].filter((sql) => !sql.startsWith("PRAGMA"));
}

/** Names of tables may be other ones in the statement ("links AS l"): those are found by the statement itself. */
function readsAll(database: Sqlite.Database, sql: string, tables: readonly string[]): boolean {
  const nothing = Array.from({ length: sql.split("?").length - 1 }, () => null);
  const plan = database.prepare<null[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...nothing);
  return plan.some(({ detail }) => {
    const scanned = /^SCAN (\S+)/.exec(detail)?.[1];
    if (scanned === undefined) return false;
    const renamed = new RegExp(`(\\w+) AS ${scanned}\\b`).exec(sql)?.[1];
    return tables.includes(renamed ?? scanned);
  });
}
