/**
 * Owns the rows of traffic: sums by hour, by day and by month for each repository, and by day for each client. What is added goes into its hour,
 * its day and its month at once, so that no later step has to roll anything up, and old hours can be deleted at any time.
 */
import type { Retention } from "./record-retention.ts";
import type { SqlDatabase, SqlValue } from "./sql-database.ts";
import { noTraffic, type TrafficSums } from "./traffic-sums.ts";

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
const SUMS =
  "sum(served) AS served, sum(fetched) AS fetched, sum(pulls) AS pulls, sum(hits) AS hits, sum(misses) AS misses";
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
    add: (delta: TrafficDelta) => {
      const { hour, sums } = delta;
      const values = [sums.served, sums.fetched, sums.pulls, sums.hits, sums.misses];
      const day = hour.slice(0, PERIODS.day);
      if ("client" in delta) return addClient.run(day, delta.client, ...values);
      for (const length of Object.values(PERIODS))
        add.run(length, hour.slice(0, length), delta.upstream, delta.repository, ...values);
      addTotal.run(day, ...values);
    },
    find: finder(database),
    total: () => {
      const { since, ...sums } = total.get() ?? { since: undefined, ...noTraffic() };
      return { since, sums };
    },
    prune,
  };
}

function finder(database: SqlDatabase): (query: TrafficQuery) => TrafficRow[] {
  const where = "length = ? AND period >= ? AND (? = '' OR upstream = ?) AND (? = '' OR repository = ?)";
  const grouped = (name: string) =>
    database.prepare<TrafficRow>(`SELECT ${name} AS name, ${SUMS} FROM traffic WHERE ${where} GROUP BY 1`);
  const byPeriod = grouped("period");
  const byUpstream = grouped("upstream");
  const byRepository = grouped("upstream || '/' || repository");
  const byClient = database.prepare<TrafficRow>(
    `SELECT client AS name, ${SUMS} FROM client_traffic WHERE day >= ? GROUP BY 1`,
  );
  return ({ by, upstream = "", repository = "", since }) => {
    if (by === "client") return byClient.all(since ?? "");
    const named: SqlValue[] = [upstream, upstream, repository, repository];
    if (by === "hour" || by === "day" || by === "month")
      return byPeriod.all(PERIODS[by], (since ?? "").slice(0, PERIODS[by]), ...named);
    const statement = by === "upstream" ? byUpstream : byRepository;
    // Months are kept longest, and are the fewest rows.
    return statement.all(since === undefined ? PERIODS.month : PERIODS.day, since ?? "", ...named);
  };
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
