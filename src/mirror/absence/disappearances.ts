/**
 * Owns when an upstream is believed that something which it gave before is gone, or is refused now: at the second such answer, some time
 * after the first. A single one may come from a replica that lags behind, or from an incident, and until the second one the old
 * answer is still given, with a warning. It removes nothing itself.
 */
import { LRUCache } from "lru-cache";
import type { Clock } from "../../observe/clock.ts";
import { mostEntries } from "../../waiting/expiry.ts";
import { TAG_RETRIES } from "../../waiting/retry-numbers.ts";

const { leastApartMs, mostApartMs } = TAG_RETRIES;

export class Disappearances {
  readonly #clock: Clock;
  /** When each was first said not to be there, of the clock's `elapsed`. */
  readonly #first = new LRUCache<string, number>(mostEntries(10_000));

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The upstream said 404. Returns 0 when that is to be believed now, else the milliseconds after which asking again can settle it;
   * `apartMs` is the least time between the two answers, of 5 s to a minute.
   */
  saidMissing(key: string, apartMs: number): number {
    const now = this.#clock.elapsed();
    const since = this.#first.get(key);
    const leastMs = Math.min(mostApartMs, Math.max(leastApartMs, apartMs));
    if (since === undefined) this.#first.set(key, now);
    const leftMs = (since ?? now) + leastMs - now;
    if (leftMs > 0) return leftMs;
    this.#first.delete(key);
    return 0;
  }

  /** It is there: a later 404 is the first one again. */
  seen(key: string): void {
    this.#first.delete(key);
  }
}
