/**
 * Owns when an upstream is believed that something which it gave before is not there any more, or not for those who ask: once may be a
 * lagging replica or an incident, and a pull that works is worth more than the seconds for which the old answer is still given, with a
 * warning. The second time counts, when it is some time after the first. It forgets nothing itself.
 */
import { LRUCache } from "lru-cache";
import type { Clock } from "../../observe/clock.ts";

/** Two answers that are closer together than this are one: a registry in trouble repeats itself. */
const LEAST_APART_MS = 5_000;
/** However long a "not there" is believed: what was really deleted is not served for longer than this. */
const MOST_APART_MS = 60_000;

export class Disappearances {
  readonly #clock: Clock;
  /** When each was first said not to be there, of the clock's `elapsed`. */
  readonly #first = new LRUCache<string, number>({ max: 10_000 });

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
    const leastMs = Math.min(MOST_APART_MS, Math.max(LEAST_APART_MS, apartMs));
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
