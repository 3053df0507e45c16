/** Owns "not there" answers: remembered for seconds, so that a missing tag is not asked for with every request. */
import { LRUCache } from "lru-cache";
import type { GranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";

export class NegativeAnswers {
  readonly #clock: Clock;
  readonly #answers = new LRUCache<string, { readonly until: number; readonly error: GranaryError }>({
    max: 10_000,
  });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws the remembered answer while it is believed. */
  check(key: string): void {
    const known = this.#answers.get(key);
    if (known === undefined) return;
    if (known.until > this.#clock.elapsed()) throw known.error;
    this.#answers.delete(key);
  }

  /** Remembers `error` for `lifetimeMs` (0: not at all) and returns it. */
  remember(key: string, lifetimeMs: number, error: GranaryError): GranaryError {
    if (lifetimeMs > 0) this.#answers.set(key, { until: this.#clock.elapsed() + lifetimeMs, error });
    return error;
  }
}
