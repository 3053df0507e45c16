/** Owns how long a Fill waits after a failed lane, and which failures no wait can mend. Pure. */
import { type GranaryError, isGranaryError } from "../errors.ts";

const FIRST_MS = 250;
const LONGEST_MS = 5_000;
/** A client gives up on a silent body after 10 to 30 s: a longer Retry-After cannot be waited for inside a fill. */
const PATIENCE_MS = 10_000;

/** Milliseconds before the `failures`-th try after a failure; `random` in [0, 1) spreads them by a quarter. */
export function backoffMs(failures: number, error: unknown, random: number): number {
  const asked = isGranaryError(error) ? (error.facts.retryAfterMs ?? 0) : 0;
  const computed = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1)) * (1 + random / 4);
  return Math.max(Math.min(asked, PATIENCE_MS), computed);
}

/** What another try at the same origin cannot change. */
export function isFinal(error: unknown): error is GranaryError {
  if (isGranaryError(error, "not-found", "denied", "unauthorized", "range-unsatisfiable", "closed"))
    return true;
  return isGranaryError(error, "rate-limited") && (error.facts.retryAfterMs ?? 0) > PATIENCE_MS;
}
