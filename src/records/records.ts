/**
 * Owns the composition of the records: what happened here, for people who ask. Nothing that serves a client waits for them, and nothing that goes
 * wrong with them is anybody's failure.
 */
import type { RecordRows } from "../metadata/record-rows.ts";
import type { Clock } from "../observe/clock.ts";
import { type Log, silentLog } from "../observe/log.ts";
import { Clients } from "./clients.ts";
import { Events } from "./events.ts";
import { Pulls } from "./pulls.ts";
import { RecordWriter } from "./record-writer.ts";
import { type RecordedRequest, RequestRecord } from "./request-record.ts";
import { DEFAULT_RECORDS, type RecordSettings } from "./retention.ts";
import { Traffic } from "./traffic.ts";

export type Records = {
  readonly events: Events;
  readonly pulls: Pulls;
  readonly traffic: Traffic;
  readonly clients: Clients;
  /** A request begins; its record hears of everything that follows. */
  open(request: RecordedRequest): RequestRecord;
  /** Later records are kept as these say. */
  renew(settings: RecordSettings): void;
  /** Ends the pulls that run, and writes everything. To be called before the database is closed. Idempotent. */
  close(): void;
};

export type RecordParts = {
  readonly clock: Clock;
  readonly log?: Log;
  /** Without them everything stays in memory, and ends with the process. */
  readonly rows?: RecordRows | undefined;
  readonly settings?: RecordSettings | undefined;
  /** True where one command looks into the directory: then nothing is written but what it tells itself. */
  readonly isAtRest?: boolean;
};

/** Throws what the database throws. */
export function openRecords({
  clock,
  log = silentLog,
  rows,
  settings = DEFAULT_RECORDS,
  isAtRest = false,
}: RecordParts): Records {
  let current = settings;
  const keepsClients = () => current.clientsMs > 0;
  const lastIds = rows?.lastIds() ?? { event: 0, pull: 0 };
  let writer: RecordWriter | undefined;
  const onChange = () => writer?.arm();
  const events = new Events(clock, { rows, keepsClients, onChange, lastId: lastIds.event });
  const traffic = new Traffic({ clock, rows, keepsClients, onChange });
  const pulls = new Pulls({ clock, rows, events, traffic, keepsClients, onChange, lastId: lastIds.pull });
  if (rows !== undefined)
    writer = new RecordWriter({
      ...{ rows, clock, log, events, pulls, traffic },
      settings: () => current,
      earlierPulls: isAtRest ? 0 : lastIds.pull,
    });
  if (lastIds.pull > 0 && !isAtRest) writer?.arm();
  const heard = { traffic, pulls };
  const running = () => pulls.pullers;
  const clients = new Clients({ clock, keepsClients, keptMs: () => current.clientsMs, running });
  return {
    clients,
    events,
    pulls,
    traffic,
    open: (request) => new RequestRecord(request, heard),
    renew: (next) => {
      current = next;
      writer?.flush();
      writer?.prune();
    },
    close: () => writer?.close(),
  };
}
