/** Owns the rate of a transfer, over its last seconds and over all of it, and the time that is left. It reads no clock of its own. */
import type { Clock } from "../observe/clock.ts";

const WINDOW_MS = 5_000;

type Sample = { readonly at: number; readonly done: number };

export class Rate {
  readonly #clock: Clock;
  #first: Sample | undefined;
  #samples: Sample[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `done` only grows; what the first sample has was there before. */
  add(done: number): void {
    const at = this.#clock.elapsed();
    this.#first ??= { at, done };
    this.#samples.push({ at, done });
    // One sample older than the window stays: the rate is taken from there.
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? at) < at - WINDOW_MS) this.#samples.shift();
  }

  /** Units per second, lately; undefined as long as there is nothing to measure. */
  perSecond(): number | undefined {
    return rateBetween(this.#samples[0], this.#samples.at(-1));
  }

  /** Units per second since the first sample. */
  overall(): number | undefined {
    return rateBetween(this.#first, this.#samples.at(-1));
  }

  /** Undefined when nothing moves. */
  leftMs(total: number): number | undefined {
    const rate = this.perSecond();
    const done = this.#samples.at(-1)?.done ?? 0;
    return rate === undefined || rate === 0 ? undefined : ((total - done) * 1000) / rate;
  }
}

function rateBetween(first: Sample | undefined, last: Sample | undefined): number | undefined {
  if (first === undefined || last === undefined || last.at === first.at) return undefined;
  return ((last.done - first.done) * 1000) / (last.at - first.at);
}
