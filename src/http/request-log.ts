/**
 * Owns what is kept of each request: its Account while it is answered, one log line when it is over, and its counts in the metrics. No
 * query, no body and no header but the user agent gets into any of them: what a request carries may be a secret.
 */
import type { IncomingMessage } from "node:http";
import type { Outcome } from "../mirror/mirror.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Observers } from "../observe/observers.ts";
import { withoutUserInfo } from "../oci/redact.ts";
import type { FailureFacts } from "../records/cause.ts";
import { type SeenClient, wasAnswered } from "../records/clients.ts";
import type { RequestEnd, RequestRecord } from "../records/request-record.ts";

/** What a request is for; a label of metrics. */
export type RouteKind = "base" | "manifest" | "blob" | "tags" | "referrers" | "status" | "other";

/**
 * Where an answer came from (Outcome), or why there was none: "absent" (404), "refused" (any other 4xx: the request is at fault or not
 * allowed), "error" (the upstream or this mirror failed).
 */
export type RequestOutcome = Outcome | "absent" | "refused" | "error";

/** What is known of one request so far; the code that answers it fills it in. */
export class Account {
  kind: RouteKind = "other";
  /** Name of a configured upstream; undefined until routing has found it. */
  upstream: string | undefined;
  outcome: RequestOutcome | undefined;
  /** Why it failed, for the log; never a secret. */
  reason: string | undefined;
  /** The same without the name of anything that was asked for: for others who look at who asks. */
  plainReason: string | undefined;
  /** The same for those who look for its cause. */
  cause: FailureFacts | undefined;
  /** What the records keep of it; nothing until it is routed. */
  record: RequestRecord | undefined;
  /** Who asks; nothing for the status pages. */
  seen: SeenClient | undefined;
  /** A body that is being sent. The kernel may be at some of it when the connection closes, and tells only then what it took. */
  body: Promise<void> | undefined;
  /** Of the clock's `elapsed`. */
  readonly startedAt: number;
  /** The client's address. */
  readonly client: string | undefined;
  readonly #counters: Counters;
  #bytes = 0;

  constructor(startedAt: number, client: string | undefined, counters: Counters) {
    this.startedAt = startedAt;
    this.client = client;
    this.#counters = counters;
  }

  /** Bytes of the answer's body that were handed to the system so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** To be called whenever bytes of the body go out, with their number: they are counted at once, not when the request is over. */
  sent(bytes: number): void {
    if (bytes === 0) return;
    this.#bytes += bytes;
    this.#counters.bytes(this).inc(bytes);
    if (this.seen !== undefined) this.seen.served += bytes;
    if (isFailure(this.outcome)) this.record?.refused(bytes);
    else this.record?.sent(bytes);
  }
}

export class RequestLog {
  readonly #observers: Observers;
  readonly #log: Log;
  readonly #counters: Counters;

  constructor(observers: Observers) {
    this.#observers = observers;
    // Its lines are made of named facts, none of them a secret: redaction would only cost time, on every request.
    this.#log = observers.log.child({}, { redact: [] });
    this.#counters = new Counters(observers.metrics);
  }

  /** `address` is the client's; it is not known any more once the connection is gone. */
  open(address: string | undefined): Account {
    return new Account(this.#observers.clock.elapsed(), plainAddress(address), this.#counters);
  }

  /** To be called once, when the answer is over. `shown` is asked only where there is a line. */
  close(account: Account, { status, isWhole }: AnswerEnd, shown: () => ShownRequest): void {
    const outcome = outcomeOf(account, isWhole);
    this.#counters.requests(account, outcome, status).inc();
    const end = endOf(account, outcome);
    account.record?.end(end);
    if (account.seen !== undefined) tellSeen(account.seen, account, outcome);
    const isQuiet = account.kind === "status";
    // A child keeps the level that it was made with; that of the log can change while it runs.
    if (this.#log.level !== this.#observers.log.level) this.#log.level = this.#observers.log.level;
    if (!this.#log.isLevelEnabled(isQuiet ? "debug" : "info")) return;
    const { upstream, bytes, client, reason, startedAt } = account;
    const { method, path, userAgent } = shown();
    const line = {
      method,
      path,
      status,
      bytes,
      ms: this.#observers.clock.elapsed() - startedAt,
      outcome,
      upstream,
      client,
      userAgent,
      reason: reason === undefined ? undefined : withoutUserInfo(reason),
    };
    if (isQuiet) this.#log.debug(line, "request");
    else this.#log.info(line, "request");
  }
}

/** How an answer ended. */
export type AnswerEnd = {
  /** 0: none was begun. */
  readonly status: number;
  /** All of it was handed to the system. */
  readonly isWhole: boolean;
};

/** What the log shows of a request. */
export type ShownRequest = {
  readonly method: string | undefined;
  readonly path: string;
  readonly userAgent: string | undefined;
};

export function shownRequest({ method, url, headers }: IncomingMessage): ShownRequest {
  return { method, path: pathOf(url), userAgent: shownAgent(headers["user-agent"]) };
}

/** Without the form in which a listener for both families shows IPv4 addresses (`::ffff:192.0.2.1`; RFC 4291, 2.5.5.2). */
export function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith("::ffff:") && address.includes(".") ? address.slice("::ffff:".length) : address;
}

/** Real ones have about a hundred characters (Docker's names its kernel, its architecture and its client). */
const MOST_AGENT = 200;

/** At most MOST_AGENT bytes of printable ASCII. */
function shownAgent(agent: string | undefined): string | undefined {
  if (agent === undefined) return undefined;
  return withoutUserInfo(agent.slice(0, MOST_AGENT).replace(/[^\x20-\x7e]/g, "?")).slice(0, MOST_AGENT);
}

function outcomeOf({ outcome }: Account, isWhole: boolean): RequestOutcome | "aborted" | "none" {
  return isWhole || outcome === "error" ? (outcome ?? "none") : "aborted";
}

function endOf({ reason, cause }: Account, outcome: RequestOutcome | "aborted" | "none"): RequestEnd {
  const from = sourceOf(outcome);
  if (isFailure(outcome)) return { from, isWhole: false, failure: reason ?? outcome, cause };
  return { from, isWhole: outcome !== "aborted", failure: undefined };
}

function tellSeen(seen: SeenClient, { upstream, plainReason, reason }: Account, outcome: string): void {
  // What we refuse ourselves before anything is looked up names nothing.
  const why = isFailure(outcome) ? (plainReason ?? reason) : undefined;
  wasAnswered(seen, { outcome, upstream, reason: why });
}

function isFailure(outcome: string | undefined): boolean {
  return outcome === "absent" || outcome === "refused" || outcome === "error";
}

/** Without asking the registry for the bytes, or not. */
function sourceOf(outcome: RequestOutcome | "aborted" | "none"): RequestEnd["from"] {
  switch (outcome) {
    case "hit":
    case "revalidated":
    case "stale":
      return "stored";
    case "miss":
    case "shared":
    case "bypass":
      return "upstream";
    default:
      return "nowhere";
  }
}

/** Without the query, and without user information, in whatever form it is written. */
function pathOf(url = "/"): string {
  const mark = url.indexOf("?");
  return withoutUserInfo(mark < 0 ? url : url.slice(0, mark));
}

type BoundCounter = ReturnType<Metrics["requests"]["labels"]>;

/** Finding a counter by its labels sorts and joins them; that is done once for each combination, not for each request. */
class Counters {
  readonly #metrics: Metrics;
  readonly #requests = new Map<string, BoundCounter>();
  readonly #bytes = new Map<string, BoundCounter>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  requests({ kind, upstream = "none" }: Account, outcome: string, status: number): BoundCounter {
    return found(this.#requests, `${kind} ${upstream} ${outcome} ${status}`, () =>
      this.#metrics.requests.labels({ kind, upstream, outcome, status: String(status) }),
    );
  }

  bytes({ kind, upstream = "none" }: Account): BoundCounter {
    return found(this.#bytes, `${kind} ${upstream}`, () =>
      this.#metrics.clientBytes.labels({ kind, upstream }),
    );
  }
}

function found(known: Map<string, BoundCounter>, key: string, make: () => BoundCounter): BoundCounter {
  const counter = known.get(key) ?? make();
  known.set(key, counter);
  return counter;
}
