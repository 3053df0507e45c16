/**
 * Owns the port to the stored records (events, pulls and traffic) and its driver: all that came together is written in one transaction. Each kind
 * has its own file. Unlike the Metadata it is not patient: what cannot be written is kept by whoever wrote it.
 */
import { type EventQuery, type EventRow, eventRows } from "./event-rows.ts";
import { type PullQuery, type PullRow, pullRows } from "./pull-rows.ts";
import type { Retention } from "./record-retention.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { type TrafficDelta, type TrafficQuery, type TrafficRow, trafficRows } from "./traffic-rows.ts";
import type { TrafficSums } from "./traffic-sums.ts";

/** What is written together. */
type RecordBatch = {
  readonly events: readonly EventRow[];
  /** New ones, and ones that replace the row with their id. */
  readonly pulls: readonly PullRow[];
  readonly traffic: readonly TrafficDelta[];
  /** Pulls up to this id that are said to run do not any more: the process that served them is gone. */
  readonly endedUpTo: number;
};

/** Every method throws `closed`, `store-full`, `store-damaged`. */
export type RecordRows = {
  write(batch: RecordBatch): void;
  /** Deletes what is too old, and what is beyond the bounds in rows. */
  prune(retention: Retention): void;
  /** The highest ids that were given out; 0 where there are none. */
  lastIds(): { readonly event: number; readonly pull: number };
  /** Newest first. */
  events(query: EventQuery): EventRow[];
  /** Newest first. */
  pulls(query: PullQuery): PullRow[];
  /** In pages, each read when it is asked for; a name can come more than once. */
  traffic(query: TrafficQuery): Iterable<TrafficRow[]>;
  /** Of all time, and since when (a day; undefined: nothing was counted yet). */
  total(): { readonly since: string | undefined; readonly sums: TrafficSums };
};

/** Of the database, records take at most this part; clients can cause any number of them. */
const SHARE = 1 / 4;
/** What a row takes with its indices, roughly. */
const ROW_BYTES = 400;
const MOST_EVENTS = 5_000;
const MOST_PULLS = 10_000;
const MOST_TRAFFIC = 100_000;

/** `maxBytes` is what the whole database may take, as it is when records are pruned. */
export function recordRows(database: SqlDatabase, maxBytes: () => number): RecordRows {
  const most = (rows: number) => () => Math.floor(Math.min(rows, (maxBytes() * SHARE) / ROW_BYTES / 3));
  const events = eventRows(database, most(MOST_EVENTS));
  const pulls = pullRows(database, most(MOST_PULLS));
  const traffic = trafficRows(database, most(MOST_TRAFFIC));
  return {
    write: (batch) =>
      database.inTransaction(() => {
        pulls.endUpTo(batch.endedUpTo);
        for (const event of batch.events) events.add(event);
        for (const pull of batch.pulls) pulls.put(pull);
        traffic.add(batch.traffic);
      }),
    prune: (retention) =>
      database.inTransaction(() => {
        events.prune(retention);
        pulls.prune(retention);
        traffic.prune(retention);
      }),
    lastIds: () => ({ event: events.lastId(), pull: pulls.lastId() }),
    events: events.find,
    pulls: pulls.find,
    traffic: traffic.find,
    total: traffic.total,
  };
}
