/**
 * Owns the one log line and the metrics of each request, written when it is over. No query, no header and no body gets
 * into either: what a request carries may be a secret.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../observe/clock.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { withoutUserInfo } from "../oci/redact.ts";
import type { Account } from "./exchange.ts";

export type Observers = { readonly log: Log; readonly metrics: Metrics; readonly clock: Clock };

export function openAccount(incoming: IncomingMessage, clock: Clock): Account {
  return {
    kind: "other",
    upstream: undefined,
    outcome: undefined,
    bytes: 0,
    reason: undefined,
    startedAt: clock.elapsed(),
    // Not known any more once the connection is gone.
    client: incoming.socket.remoteAddress,
  };
}

/** To be called when `outgoing` is over, finished or not. */
export function closeAccount(
  { log, metrics, clock }: Observers,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  account: Account,
): void {
  const { kind, upstream, bytes, reason, client, startedAt } = account;
  const isOver = outgoing.writableFinished || account.outcome === "error";
  const outcome = isOver ? (account.outcome ?? "none") : "aborted";
  const status = outgoing.headersSent ? outgoing.statusCode : 0;
  counterOf(metrics, kind, outcome, status).inc();
  if (bytes > 0) metrics.clientBytes.inc({ kind }, bytes);
  const isQuiet = kind === "status";
  if (!log.isLevelEnabled(isQuiet ? "debug" : "info")) return;
  const { method, url } = incoming;
  const ms = clock.elapsed() - startedAt;
  const why = reason === undefined ? undefined : withoutUserInfo(reason);
  const line = { method, path: pathOf(url), status, bytes, ms, outcome, upstream, client, reason: why };
  if (isQuiet) log.debug(line, "request");
  else log.info(line, "request");
}

type BoundCounter = ReturnType<Metrics["requests"]["labels"]>;

const counters = new WeakMap<Metrics, Map<string, BoundCounter>>();

/** Finding a counter by its labels sorts and joins them; for one line per request that is done once for each combination. */
function counterOf(metrics: Metrics, kind: string, outcome: string, status: number): BoundCounter {
  const known = counters.get(metrics) ?? new Map<string, BoundCounter>();
  counters.set(metrics, known);
  const key = `${kind} ${outcome} ${status}`;
  const counter = known.get(key) ?? metrics.requests.labels({ kind, outcome, status: String(status) });
  known.set(key, counter);
  return counter;
}

/** Without the query, and without user information, in whatever form it is written. */
function pathOf(url = "/"): string {
  const mark = url.indexOf("?");
  return withoutUserInfo(mark < 0 ? url : url.slice(0, mark));
}
