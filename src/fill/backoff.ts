/** Owns how long a Fill waits after a failed lane, and which failures no wait can mend. Pure. */
import { type GranaryError, isGranaryError } from "../errors.ts";

const FIRST_MS = 250;
const LONGEST_MS = 5_000;
/** A client gives up on a silent body after 10 to 30 s: for one, a longer Retry-After cannot be waited for. */
const PATIENCE_MS = 10_000;

/**
 * Milliseconds before the `failures`-th try after a failure; `random` in [0, 1) spreads them by a quarter. `patienceMs` caps what a
 * Retry-After can make of it.
 */
export function backoffMs(
  failures: number,
  error: unknown,
  random: number,
  patienceMs = PATIENCE_MS,
): number {
  const asked = isGranaryError(error) ? (error.facts.retryAfterMs ?? 0) : 0;
  const computed = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1)) * (1 + random / 4);
  return Math.max(Math.min(asked, patienceMs), computed);
}

/** What another try at the same origin, within `patienceMs`, cannot change. */
export function isFinal(error: unknown, patienceMs = PATIENCE_MS): error is GranaryError {
  if (isGranaryError(error, "not-found", "denied", "unauthorized", "range-unsatisfiable", "closed"))
    return true;
  return isGranaryError(error, "rate-limited") && (error.facts.retryAfterMs ?? 0) > patienceMs;
}
