/** Owns the rows of `events`: what was told, newest last, bounded in all and of each kind, so that a flood of one kind does not push out the others. */
import type { Retention } from "./record-retention.ts";
import type { SqlDatabase } from "./sql-database.ts";

export type EventRow = {
  readonly id: number;
  /** Epoch ms. */
  readonly at: number;
  readonly kind: string;
  readonly text: string;
  /** A JSON object, without the client. */
  readonly facts: string;
  /** A plain address. */
  readonly client: string | null;
};

export type EventQuery = {
  /** Only those with a smaller id. */
  readonly before: number;
  readonly kind?: string | undefined;
  readonly limit: number;
};

const COLUMNS = "id, at, kind, text, facts, client";
/** Of all events, one kind may be at most this part. */
const KIND_SHARE = 1 / 3;

export function eventRows(database: SqlDatabase, most: () => number) {
  const insert = database.prepare(`INSERT OR REPLACE INTO events (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)`);
  const last = database.prepare<{ id: number | null }>("SELECT max(id) AS id FROM events");
  const all = database.prepare<EventRow>(
    `SELECT ${COLUMNS} FROM events WHERE id < ? ORDER BY id DESC LIMIT ?`,
  );
  const ofKind = database.prepare<EventRow>(
    `SELECT ${COLUMNS} FROM events WHERE kind = ? AND id < ? ORDER BY id DESC LIMIT ?`,
  );
  const removeOldest = database.prepare(
    "DELETE FROM events WHERE id <= (SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?)",
  );
  const kinds = database.prepare<{ kind: string }>("SELECT DISTINCT kind FROM events");
  const removeOfKind = database.prepare(
    `DELETE FROM events WHERE kind = ?
       AND id <= (SELECT id FROM events WHERE kind = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
  );
  const forget = forgetClients(database, "events", "at");
  return {
    add: ({ id, at, kind, text, facts, client }: EventRow) => insert.run(id, at, kind, text, facts, client),
    lastId: () => last.get()?.id ?? 0,
    find: ({ before, kind, limit }: EventQuery) =>
      kind === undefined ? all.all(before, limit) : ofKind.all(kind, before, limit),
    prune: (retention: Retention) => {
      forget(retention);
      for (const { kind } of kinds.all()) removeOfKind.run(kind, kind, Math.floor(most() * KIND_SHARE));
      removeOldest.run(most());
    },
  };
}

/** Takes the addresses of clients out of rows of `table` that are too old; the rows stay. */
export function forgetClients(
  database: SqlDatabase,
  table: string,
  dated: string,
): (retention: Retention) => void {
  const all = database.prepare(`UPDATE ${table} SET client = NULL WHERE client IS NOT NULL`);
  const old = database.prepare(
    `UPDATE ${table} SET client = NULL WHERE client IS NOT NULL AND (${dated} < ? OR ${dated} > ?)`,
  );
  return ({ clients }) => {
    if (clients === "all") all.run();
    else old.run(clients.first, clients.last);
  };
}
