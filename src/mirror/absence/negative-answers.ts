/**
 * Owns "not there" and other refusals: remembered for seconds, so that a missing tag, or one that is kept from us, is not asked for with
 * every request. What is remembered is the answer to one question, and to no other.
 */
import { LRUCache } from "lru-cache";
import { type GranaryError, isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";

/** An error may carry what a registry wrote, which is as long as it likes. */
const HELD_BYTES = 8 * 2 ** 20;

export class NegativeAnswers {
  readonly #clock: Clock;
  readonly #answers = new LRUCache<string, { readonly until: number; readonly error: GranaryError }>({
    max: 10_000,
    maxSize: HELD_BYTES,
    sizeCalculation: ({ error }, key) => key.length + sizeOf(error),
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

  /** The answer of `asking`; a refusal by the upstream itself is remembered as "not there" is. */
  async unlessRefused<T>(key: string, lifetimeMs: number, asking: Promise<T>): Promise<T> {
    try {
      return await asking;
    } catch (error) {
      const isRefusal = isGranaryError(error, "upstream-refused", "denied");
      if (isRefusal && error.facts.upstreamStatus !== undefined) this.remember(key, lifetimeMs, error);
      throw error;
    }
  }

  /** Remembers `error` for `lifetimeMs` (0: not at all) and returns it. */
  remember(key: string, lifetimeMs: number, error: GranaryError): GranaryError {
    if (lifetimeMs > 0) this.#answers.set(key, { until: this.#clock.elapsed() + lifetimeMs, error });
    return error;
  }
}

function sizeOf({ message, facts }: GranaryError): number {
  const texts = [message, ...Object.values(facts)].map((fact) =>
    typeof fact === "string" ? fact.length : 8,
  );
  return texts.reduce((sum, length) => sum + length, 500);
}
