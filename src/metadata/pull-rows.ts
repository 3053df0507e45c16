/** Owns the rows of `pulls`: who pulled what, when, and how it went; bounded, and failed ones in a part of that, because anybody can cause those. */
import { forgetClients } from "./event-rows.ts";
import type { Retention } from "./record-retention.ts";
import type { SqlDatabase, SqlValue } from "./sql-database.ts";

export type PullRow = {
  readonly id: number;
  readonly upstream: string;
  readonly repository: string;
  readonly tag: string | null;
  /** Of the manifest that was asked for first. */
  readonly digest: string | null;
  /** "linux/arm64" */
  readonly platform: string | null;
  /** A plain address. */
  readonly client: string | null;
  /** The kind of the user agent. */
  readonly agent: string;
  readonly state: string;
  /** Epoch ms. */
  readonly begunAt: number;
  readonly endedAt: number | null;
  readonly tookMs: number;
  /** Body bytes that were sent for it. */
  readonly served: number;
  /** Bytes of the blobs that its manifests list, as far as that is known. */
  readonly size: number | null;
  /** Blobs of which bytes were asked for. */
  readonly blobs: number;
  readonly hits: number;
  readonly misses: number;
  /** 1 when the same bytes were asked for more than once. */
  readonly isRepeated: number;
  /** Why it failed. */
  readonly reason: string | null;
};

export type PullQuery = {
  /** Only those with a smaller id. */
  readonly before: number;
  readonly upstream?: string | undefined;
  readonly repository?: string | undefined;
  readonly state?: string | undefined;
  readonly client?: string | undefined;
  /** What the name ("docker.io/library/alpine:3"), the agent or the address must contain, lower case. */
  readonly search?: string | undefined;
  readonly limit: number;
};

const COLUMNS = `id, upstream, repository, tag, digest, platform, client, agent, state, begun_at AS begunAt, ended_at AS endedAt,
  took_ms AS tookMs, served, size, blobs, hits, misses, is_repeated AS isRepeated, reason`;
/** As `isFoundBy` has it. */
const FOUND_BY =
  "lower(upstream || '/' || repository || coalesce(':' || tag, '') || char(10) || agent || char(10) || coalesce(client, ''))";
const FAILED_SHARE = 1 / 5;

export function pullRows(database: SqlDatabase, most: () => number) {
  const put = database.prepare(
    `INSERT OR REPLACE INTO pulls (id, upstream, repository, tag, digest, platform, client, agent, state, begun_at, ended_at,
       took_ms, served, size, blobs, hits, misses, is_repeated, reason)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const last = database.prepare<{ id: number | null }>("SELECT max(id) AS id FROM pulls");
  const of = database.prepare<PullRow>(
    `SELECT ${COLUMNS} FROM pulls
     WHERE id < ? AND (? = '' OR upstream = ?) AND (? = '' OR repository = ?) AND (? = '' OR state = ?)
       AND (? = '' OR client = ?) AND (? = '' OR instr(${FOUND_BY}, ?) > 0)
     ORDER BY id DESC LIMIT ?`,
  );
  const removeFailed = database.prepare(
    `DELETE FROM pulls WHERE state = 'failed'
       AND id <= (SELECT id FROM pulls WHERE state = 'failed' ORDER BY id DESC LIMIT 1 OFFSET ?)`,
  );
  const removeOldest = database.prepare(
    "DELETE FROM pulls WHERE id <= (SELECT id FROM pulls ORDER BY id DESC LIMIT 1 OFFSET ?)",
  );
  const endUpTo = database.prepare(
    `UPDATE pulls SET state = 'failed', ended_at = begun_at + took_ms, reason = 'Granary ended before it was over'
     WHERE state = 'running' AND id <= ?`,
  );
  const forget = forgetClients(database, "pulls", "begun_at");
  return {
    put: (row: PullRow) => put.run(...valuesOf(row)),
    endUpTo: (id: number) => endUpTo.run(id),
    lastId: () => last.get()?.id ?? 0,
    find: ({ before, limit, ...wanted }: PullQuery) => {
      const { upstream = "", repository = "", state = "", client = "", search = "" } = wanted;
      const values = [upstream, repository, state, client, search].flatMap((value) => [value, value]);
      return of.all(before, ...values, limit);
    },
    prune: (retention: Retention) => {
      forget(retention);
      removeFailed.run(Math.floor(most() * FAILED_SHARE));
      removeOldest.run(most());
    },
  };
}

/** The same of a row that is not written yet. */
export function isFoundBy(search: string, { upstream, repository, tag, agent, client }: PullRow): boolean {
  const name = `${upstream}/${repository}${tag === null ? "" : `:${tag}`}`;
  return `${name}\n${agent}\n${client ?? ""}`.toLowerCase().includes(search);
}

function valuesOf(row: PullRow): SqlValue[] {
  const { id, upstream, repository, tag, digest, platform, client, agent, state, begunAt, endedAt } = row;
  const { tookMs, served, size, blobs, hits, misses, isRepeated, reason } = row;
  const what = [id, upstream, repository, tag, digest, platform, client, agent, state, begunAt, endedAt];
  return [...what, tookMs, served, size, blobs, hits, misses, isRepeated, reason];
}
