/**
 * Owns the Exchange: one request with all that answering it needs, and the Account that its log line and its metrics are
 * made of. Plain data; routes fill the Account in as they learn.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Asker, Mirror, Outcome } from "../mirror/mirror.ts";
import type { Clock } from "../observe/clock.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Route } from "../routing/routing.ts";
import type { BufferPool } from "./answers/buffer-pool.ts";
import type { RequestKind } from "./answers/error-answer.ts";
import type { HeaderList } from "./answers/respond.ts";

/** What is known of a request so far; written while it is answered, read when it is over. */
export type Account = {
  kind: RequestKind;
  upstream: string | undefined;
  outcome: Outcome | "error" | undefined;
  /** Body bytes handed to the system. */
  bytes: number;
  /** Why it failed, for the log; never a secret. */
  reason: string | undefined;
  /** Of the clock's `elapsed`. */
  readonly startedAt: number;
  /** The client's address. */
  readonly client: string | undefined;
};

/** What all requests of a process share. */
export type Services = {
  readonly mirror: Mirror;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly pool: BufferPool;
};

export type Exchange = Services & {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly asker: Asker;
  readonly route: Route;
  /** The path as the client wrote it, in the convention it used. */
  readonly rawPath: string;
  /** Headers of the answer so far: what every one carries, then what the route adds. */
  readonly headers: HeaderList;
  /** True when the upstream is an Ollama registry. */
  readonly isOllama: boolean;
  readonly account: Account;
};
