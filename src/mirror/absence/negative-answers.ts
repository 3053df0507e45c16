/**
 * Owns the memory of "not there" and other refusals: they are believed for seconds, so that a missing or private tag does not cost a
 * question with each request. What is remembered is the answer to one question, and to no other.
 */
import { LRUCache } from "lru-cache";
import { type GranaryError, isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import { expiringBy } from "../../waiting/expiry.ts";

/** An error may carry what a registry wrote, which is as long as it likes. */
const MEMORY_BYTES = 8 * 2 ** 20;

export class NegativeAnswers {
  readonly #answers: LRUCache<string, GranaryError>;

  constructor(clock: Clock) {
    this.#answers = new LRUCache<string, GranaryError>({
      maxSize: MEMORY_BYTES,
      sizeCalculation: (error, key) => key.length + sizeOf(error),
      ...expiringBy(clock),
    });
  }

  /** Throws the remembered answer while it is believed. */
  check(key: string): void {
    const known = this.#answers.get(key);
    if (known !== undefined) throw known;
  }

  /** What `asking` gives. Where the upstream itself refuses, that is remembered for `lifetimeMs`, as "not there" is. */
  async unlessRefused<T>(key: string, lifetimeMs: number, asking: Promise<T>): Promise<T> {
    try {
      return await asking;
    } catch (error) {
      const isRefusal = isGranaryError(error, "upstream-refused", "denied");
      if (isRefusal && error.facts.upstreamStatus !== undefined) this.remember(key, lifetimeMs, error);
      throw error;
    }
  }

  /** Something came that nobody had before: all is asked again. */
  clear(): void {
    this.#answers.clear();
  }

  /** Remembers `error` for `lifetimeMs` (0: not at all) and returns it. */
  remember(key: string, lifetimeMs: number, error: GranaryError): GranaryError {
    if (lifetimeMs > 0) this.#answers.set(key, error, { ttl: lifetimeMs });
    return error;
  }
}

function sizeOf({ message, facts }: GranaryError): number {
  const texts = [message, ...Object.values(facts)].map((fact) =>
    typeof fact === "string" ? fact.length : 8,
  );
  return texts.reduce((sum, length) => sum + length, 500);
}
