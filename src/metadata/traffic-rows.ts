/**
 * Owns the rows of traffic: sums by hour, by day and by month for each repository, and by day for each client. What is added goes into its hour,
 * its day and its month at once, so that no later step has to roll anything up, and old hours can be deleted at any time.
 */
import type { Retention } from "./record-retention.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { addTraffic, noTraffic, type TrafficSums } from "./traffic-sums.ts";

/** What is added. */
export type TrafficDelta = {
  /** "2026-11-28T14", of this machine's time zone. */
  readonly hour: string;
  readonly sums: TrafficSums;
} & (
  | { readonly upstream: string; readonly repository: string }
  /** Already counted for its repository. */
  | { readonly client: string }
);

export type TrafficQuery = {
  readonly by: TrafficGroup;
  /** Only that of one upstream, or one repository of it; not for clients. */
  readonly upstream?: string | undefined;
  readonly repository?: string | undefined;
  /** Only days from this one on, where not grouped by hour or month. Undefined: all that is kept. */
  readonly since?: string | undefined;
};

type TrafficGroup = "hour" | "day" | "month" | "upstream" | "repository" | "client";

/** `name` is the hour, day, month, upstream, "upstream/repository" or address. */
export type TrafficRow = TrafficSums & { readonly name: string };

const ADDED = ["served", "fetched", "pulls", "hits", "misses"]
  .map((column) => `${column} = ${column} + excluded.${column}`)
  .join(", ");
/** How a period is told from another by its length. */
const PERIODS = { month: 7, day: 10, hour: 13 } as const;

export function trafficRows(database: SqlDatabase, most: () => number) {
  const add = database.prepare(
    `INSERT INTO traffic (length, period, upstream, repository, served, fetched, pulls, hits, misses)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET ${ADDED}`,
  );
  const addClient = database.prepare(
    `INSERT INTO client_traffic (day, client, served, fetched, pulls, hits, misses) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET ${ADDED}`,
  );
  const addTotal = database.prepare(
    `INSERT INTO traffic_total (one, since, served, fetched, pulls, hits, misses) VALUES (1, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET ${ADDED}`,
  );
  const total = database.prepare<TrafficSums & { since: string }>(
    "SELECT since, served, fetched, pulls, hits, misses FROM traffic_total",
  );
  const prune = pruneTraffic(database, most);
  return {
    /** All of them; for use inside a transaction. */
    add: (deltas: readonly TrafficDelta[]) => {
      const all = noTraffic();
      let since: string | undefined;
      for (const delta of deltas) {
        const { hour, sums } = delta;
        const day = hour.slice(0, PERIODS.day);
        if ("client" in delta) {
          addClient.run(day, delta.client, ...valuesOf(sums));
          continue;
        }
        for (const length of Object.values(PERIODS))
          add.run(length, hour.slice(0, length), delta.upstream, delta.repository, ...valuesOf(sums));
        addTraffic(all, sums);
        if (since === undefined || day < since) since = day;
      }
      if (since !== undefined) addTotal.run(since, ...valuesOf(all));
    },
    find: finder(database),
    total: () => {
      const { since, ...sums } = total.get() ?? { since: undefined, ...noTraffic() };
      return { since, sums };
    },
    prune,
  };
}

function valuesOf({ served, fetched, pulls, hits, misses }: TrafficSums): number[] {
  return [served, fetched, pulls, hits, misses];
}

/**
 * What is asked for in pages, in the order of the key, so that others can have their turn between two of them: tens of thousands of rows are
 * kept. A name can come in several rows, whose sums belong together. Each page is read when it is asked for.
 */
function finder(database: SqlDatabase): (query: TrafficQuery) => Iterable<TrafficRow[]> {
  const repositories = database.prepare<RepositoryTraffic>(
    `SELECT period, upstream, repository, served, fetched, pulls, hits, misses FROM traffic
     WHERE length = ? AND (period, upstream, repository) > (?, ?, ?)
     ORDER BY period, upstream, repository LIMIT ${PAGE}`,
  );
  const clients = database.prepare<ClientTraffic>(
    `SELECT day, client, served, fetched, pulls, hits, misses FROM client_traffic
     WHERE (day, client) > (?, ?) ORDER BY day, client LIMIT ${PAGE}`,
  );
  function* byClient({ since = "" }: TrafficQuery): Generator<TrafficRow[]> {
    for (let last: ClientTraffic | undefined, after = [since, ""]; ; after = [last.day, last.client]) {
      const rows = clients.all(...after);
      yield rows.map(({ day: _, client, ...sums }) => ({ name: client, ...sums }));
      last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
    }
  }
  function* byRepository(query: TrafficQuery): Generator<TrafficRow[]> {
    const length = lengthFor(query);
    const first = (query.since ?? "").slice(0, length);
    for (let last: RepositoryTraffic | undefined, after = [first, "", ""]; ; after = placeOf(last)) {
      const rows = repositories.all(length, ...after);
      yield rows.flatMap((row) => namedFor(query, row) ?? []);
      last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
    }
  }
  return (query) => (query.by === "client" ? byClient(query) : byRepository(query));
}

const PAGE = 1_000;

type RepositoryTraffic = TrafficSums & {
  readonly period: string;
  readonly upstream: string;
  readonly repository: string;
};
type ClientTraffic = TrafficSums & { readonly day: string; readonly client: string };

/** Months are kept longest, and are the fewest rows. */
function lengthFor({ by, since }: TrafficQuery): number {
  if (by === "hour" || by === "day" || by === "month") return PERIODS[by];
  return since === undefined ? PERIODS.month : PERIODS.day;
}

function placeOf({ period, upstream, repository }: RepositoryTraffic): string[] {
  return [period, upstream, repository];
}

/** `row` by the name that was asked for; undefined where it was not asked for. */
function namedFor({ by, ...wanted }: TrafficQuery, row: RepositoryTraffic): TrafficRow | undefined {
  const { period, upstream, repository, ...sums } = row;
  if (wanted.upstream !== undefined && wanted.upstream !== upstream) return undefined;
  if (wanted.repository !== undefined && wanted.repository !== repository) return undefined;
  if (by === "upstream") return { name: upstream, ...sums };
  return { name: by === "repository" ? `${upstream}/${repository}` : period, ...sums };
}

function pruneTraffic(database: SqlDatabase, most: () => number): (retention: Retention) => void {
  const old = database.prepare("DELETE FROM traffic WHERE length = ? AND period < ?");
  const oldest = database.prepare(
    `DELETE FROM traffic WHERE (length, period, upstream, repository) IN (
       SELECT length, period, upstream, repository FROM traffic WHERE length = ?
       ORDER BY period DESC, served DESC LIMIT -1 OFFSET ?)`,
  );
  const oldClients = database.prepare("DELETE FROM client_traffic WHERE day < ? OR day > ?");
  const oldestClients = database.prepare(
    `DELETE FROM client_traffic WHERE (day, client) IN (
       SELECT day, client FROM client_traffic ORDER BY day DESC, served DESC LIMIT -1 OFFSET ?)`,
  );
  return ({ before, clients }) => {
    if (before !== undefined) {
      old.run(PERIODS.hour, before.hour);
      old.run(PERIODS.day, before.day);
      old.run(PERIODS.month, before.month);
    }
    for (const length of Object.values(PERIODS)) oldest.run(length, Math.floor(most() / 3));
    if (clients === "all") oldClients.run("9", "0");
    else oldClients.run(clients.firstDay, clients.lastDay);
    oldestClients.run(Math.floor(most() / 3));
  };
}
