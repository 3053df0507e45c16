/** Owns how long work that never waits by itself lets others go first: after some milliseconds it gives its turn away once. */
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../observe/clock.ts";

/** Long enough that giving the turn away costs nothing, short enough that no client notices. */
const SLICE_MS = 6;

export class Slices {
  readonly #clock: Pick<Clock, "elapsed">;
  #since: number;

  constructor(clock: Pick<Clock, "elapsed">) {
    this.#clock = clock;
    this.#since = clock.elapsed();
  }

  /** To be awaited between small pieces of work. */
  async breathe(): Promise<void> {
    if (this.#clock.elapsed() - this.#since < SLICE_MS) return;
    await setImmediate();
    this.#since = this.#clock.elapsed();
  }
}
