/**
 * Owns the one log line and the metrics of each request, written when it is over. No query, no header and no body gets
 * into either: what a request carries may be a secret.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../observe/clock.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Account } from "./exchange.ts";

export type Observers = { readonly log: Log; readonly metrics: Metrics; readonly clock: Clock };

/** A fresh Account; its line is written when `outgoing` closes, finished or not. */
export function keepAccount(
  { log, metrics, clock }: Observers,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Account {
  const startedAt = clock.now();
  const account: Account = {
    kind: "other",
    upstream: undefined,
    outcome: undefined,
    bytes: 0,
    reason: undefined,
  };
  const client = incoming.socket.remoteAddress;
  outgoing.once("close", () => {
    const { kind, upstream, bytes, reason } = account;
    const isWhole = outgoing.writableFinished;
    const outcome = isWhole || account.outcome === "error" ? (account.outcome ?? "none") : "aborted";
    const status = outgoing.headersSent ? outgoing.statusCode : 0;
    metrics.requests.inc({ kind, outcome, status: String(status) });
    if (bytes > 0) metrics.clientBytes.inc({ kind }, bytes);
    const line = {
      method: incoming.method,
      path: pathOf(incoming.url),
      status,
      bytes,
      outcome,
      upstream,
      client,
    };
    const entry = { ...line, ms: clock.now() - startedAt, ...(reason !== undefined && { reason }) };
    if (kind === "status") log.debug(entry, "request");
    else log.info(entry, "request");
  });
  return account;
}

/** Without the query, and without the user information of an absolute form. */
function pathOf(url = "/"): string {
  const [path = ""] = url.split("?");
  return path.startsWith("/") ? path : path.replace(/^(https?:\/\/)[^/]*@/i, "$1");
}
