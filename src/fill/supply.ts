/**
 * Owns the Supply port: who brings the bytes of one fill into its Content. There are two: Lanes, where the size is known, and a
 * Stream, where nobody states it. A supply never decides what becomes of the fill: it says how its work ended.
 */
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import type { Origin } from "../origin.ts";

export type SupplyEnd =
  | { readonly end: "whole" }
  | { readonly end: "stopped" }
  /** No further try makes sense: `rejected` when what is here cannot be right, else `stalled` (F11). */
  | { readonly end: "stalled" | "rejected"; readonly error: GranaryError };

export const WHOLE: SupplyEnd = { end: "whole" };
export const STOPPED: SupplyEnd = { end: "stopped" };

export interface Supply {
  /** Connections at work. */
  readonly count: number;
  /** The one in use, while any is left. */
  readonly origin: Origin | undefined;
  /** Names of those that it was given so far and can use: its bytes may be from any of them. */
  readonly origins: readonly string[];
  /** Another place to get the bytes from, for when the first has them no more. */
  addOrigin(origin: Origin): void;
  /** Brings bytes until all are here, `stop` is called, or no further try makes sense. Never rejects. May be called again after `stop`. */
  work(): Promise<SupplyEnd>;
  /** Resolves when everything that was received is written, and nothing more will be. Idempotent. */
  stop(): Promise<void>;
}

/** `error` as readers hear it; `doing` begins the sentence of one that nobody expected. */
export function asFailure(error: unknown, doing: string): GranaryError {
  if (isGranaryError(error)) return error;
  return new GranaryError("upstream-unavailable", `${doing} failed: ${messageOf(error)}`, { cause: error });
}

/** The disk's fault is not the origin's: readers need not suffer from it (F16). */
export function isDiskFailure(error: unknown): error is GranaryError {
  return isGranaryError(error, "store-full", "store-damaged");
}
