/** Owns an answer of the fleet's database that many look at: asked once for all of them, and as it was known while nothing comes. */
import { isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import { within } from "../../waiting/deadline.ts";

type RememberedParts<T> = {
  /** `fleet-unavailable` and `closed` are no failures here: what was known stays. */
  readonly ask: () => Promise<T>;
  /** Asked again after so long, ms. */
  readonly everyMs: number;
  readonly clock: Clock;
};

/** `at`: epoch ms. */
export type Known<T> = { readonly value: T; readonly at: number };

export class Remembered<T> {
  readonly #parts: RememberedParts<T>;
  #known: Known<T> | undefined;
  #asking: Promise<void> | undefined;
  /** Of the clock's `elapsed`. */
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: RememberedParts<T>) {
    this.#parts = parts;
  }

  /** What is known after at most `waitMs`. Asks only where the last answer is too old. Rejects as `ask` does, but for the two above. */
  async look(waitMs: number): Promise<Known<T> | undefined> {
    const { clock, everyMs } = this.#parts;
    if (this.#asking === undefined && clock.elapsed() - this.#askedAt >= everyMs) {
      this.#askedAt = clock.elapsed();
      this.#asking = this.#ask().finally(() => {
        this.#asking = undefined;
      });
    }
    if (this.#asking !== undefined) await within(this.#asking, waitMs, clock);
    return this.#known;
  }

  async #ask(): Promise<void> {
    const { ask, clock } = this.#parts;
    try {
      this.#known = { value: await ask(), at: clock.now() };
    } catch (error) {
      if (!isGranaryError(error, "fleet-unavailable", "closed")) throw error;
    }
  }
}
