/** Owns how long a transfer waits before it tries again. Pure. */
import { isGranaryError } from "../errors.ts";

const FIRST_MS = 250;
/** Whoever waits wants the bytes within a second of the upstream's return. One lane tries, however many there are. */
const LONGEST_MS = 1_000;

/**
 * Milliseconds before the `failures`-th try after a failure; `random` in [0, 1) spreads them by a quarter. `patienceMs` caps what a
 * Retry-After can make of it.
 */
export function backoffMs(failures: number, error: unknown, random: number, patienceMs: number): number {
  const asked = isGranaryError(error) ? (error.facts.retryAfterMs ?? 0) : 0;
  const computed = Math.min(LONGEST_MS * (1 - random / 4), FIRST_MS * 2 ** (failures - 1) * (1 + random / 4));
  return Math.max(Math.min(asked, patienceMs), computed);
}
