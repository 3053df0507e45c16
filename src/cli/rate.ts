/** Owns the rate of a transfer over its last seconds, and the time that is left at that rate. Pure but for the clock it is given. */
import type { Clock } from "../observe/clock.ts";

const WINDOW_MS = 5_000;

type Sample = { readonly at: number; readonly done: number };

export class Rate {
  readonly #clock: Clock;
  #samples: Sample[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `done` only grows; what the first sample has was there before. */
  add(done: number): void {
    const at = this.#clock.now();
    this.#samples.push({ at, done });
    // One sample older than the window stays: the rate is taken from there.
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? at) < at - WINDOW_MS) this.#samples.shift();
  }

  /** Units per second; undefined as long as there is nothing to measure. */
  perSecond(): number | undefined {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at === first.at) return undefined;
    return ((last.done - first.done) * 1000) / (last.at - first.at);
  }

  /** Undefined when nothing moves. */
  leftMs(total: number): number | undefined {
    const rate = this.perSecond();
    const done = this.#samples.at(-1)?.done ?? 0;
    return rate === undefined || rate === 0 ? undefined : ((total - done) * 1000) / rate;
  }
}
