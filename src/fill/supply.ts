/**
 * Owns the Supply port: who brings the bytes of one fill into its Content. There are two: Lanes, where the size is known, and a
 * Stream, where nobody states it. A supply never decides what becomes of the fill: it says how its work ended.
 */
import type { GranaryError } from "../errors.ts";
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
  /** Another place to get the bytes from, for when the first has them no more. False where it is of no use. */
  addOrigin(origin: Origin): boolean;
  /** Brings bytes until all are here, `stop` is called, or no further try makes sense. Never rejects. May be called again after `stop`. */
  work(): Promise<SupplyEnd>;
  /** Resolves when everything that was received is written, and nothing more will be. Idempotent. */
  stop(): Promise<void>;
}
