/** Owns how long a transfer waits before it tries again. Pure. */
import { isGranaryError } from "../errors.ts";
import { FILL_RETRIES } from "../waiting/retry-numbers.ts";

const { firstPauseMs, longestPauseMs, jitter } = FILL_RETRIES;

/**
 * Milliseconds before the `failures`-th try after a failure; `random` in [0, 1) spreads them. `patienceMs` caps what a
 * Retry-After can make of it.
 */
export function backoffMs(failures: number, error: unknown, random: number, patienceMs: number): number {
  const asked = isGranaryError(error) ? (error.facts.retryAfterMs ?? 0) : 0;
  const grown = firstPauseMs * 2 ** (failures - 1) * (1 + random * jitter);
  const computed = Math.min(longestPauseMs * (1 - random * jitter), grown);
  return Math.max(Math.min(asked, patienceMs), computed);
}
