/**
 * Owns the Supply port: what fetches the bytes of one fill into its Content. There are two kinds: Lanes, when the size is known, and a
 * Stream, when nobody states it. A supply never decides what happens to the fill; it only says how its work ended.
 */
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import type { Origin } from "../origin.ts";

export type SupplyEnd =
  | { readonly end: "whole" }
  | { readonly end: "stopped" }
  /** No further try makes sense: `rejected` when the bytes cannot be right, otherwise `stalled` (F11). */
  | { readonly end: "stalled" | "rejected"; readonly error: GranaryError };

export const WHOLE: SupplyEnd = { end: "whole" };
export const STOPPED: SupplyEnd = { end: "stopped" };

export interface Supply {
  /** Connections at work. */
  readonly count: number;
  /** Where each of them goes on in the blob. */
  readonly places: readonly number[];
  /** Since when it leaves the line to more urgent transfers, of the clock's `elapsed`; undefined while it need not. */
  readonly heldSince?: number | undefined;
  /** The origin in use; undefined when none is left. */
  readonly origin: Origin | undefined;
  /** Names of the origins that it was given so far and can use: its bytes may come from any of them. */
  readonly origins: readonly string[];
  /** Adds an origin to use when the current one fails. */
  addOrigin(origin: Origin): void;
  /** Fetches until all bytes are present, `stop` is called, or no further try makes sense. Never rejects. May be called again after `stop`. */
  work(): Promise<SupplyEnd>;
  /** Resolves when everything that was received is written, and nothing more will be. Idempotent. */
  stop(): Promise<void>;
}

/** `error` as readers get it. An unexpected one becomes `upstream-unavailable`, with a message that begins with `doing`. */
export function asFailure(error: unknown, doing: string): GranaryError {
  if (isGranaryError(error)) return error;
  return new GranaryError("upstream-unavailable", `${doing} failed: ${messageOf(error)}`, { cause: error });
}

/** True when the disk failed, not the origin: readers can go on at the origin (F16). */
export function isDiskFailure(error: unknown): error is GranaryError {
  return isGranaryError(error, "store-full", "store-damaged");
}
