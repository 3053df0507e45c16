/** Owns what happens when in the simulation of leases: true time, in an order that the seed decides, one thing after the other. */
import { seededRandom } from "../seeded-random.ts";

type Due = { readonly at: number; readonly run: () => void };

export class Timeline {
  readonly random: () => number;
  now = 1_700_000_000_000;
  /** The last to come first. */
  readonly #due: Due[] = [];

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** Calls `run` in `ms`. */
  at(ms: number, run: () => void): void {
    const due = { at: this.now + ms, run };
    let low = 0;
    let high = this.#due.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#due[middle]?.at ?? 0) > due.at) low = middle + 1;
      else high = middle;
    }
    this.#due.splice(low, 0, due);
  }

  /** Lets `ms` pass, and calls `check` after each thing that happened, when every promise has run as far as it can. */
  async pass(ms: number, check: () => void): Promise<void> {
    const until = this.now + ms;
    for (let next = this.#due.at(-1); next !== undefined && next.at <= until; next = this.#due.at(-1)) {
      this.#due.pop();
      this.now = next.at;
      next.run();
      await new Promise((resolve) => setImmediate(resolve));
      check();
    }
    this.now = until;
  }

  /** From `least` to `most`, mostly near `least`. */
  between(least: number, most: number): number {
    return least + this.random() ** 3 * (most - least);
  }

  chance(of: number): boolean {
    return this.random() < of;
  }

  any<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.random() * list.length)];
  }
}
