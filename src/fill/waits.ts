/**
 * Owns Waits: the readers that are parked at an offset until that byte is present, oldest first, which is the order in which lanes serve
 * them. It wakes them. It never reads, and never decides what to fetch.
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import type { Clock } from "../observe/clock.ts";
import type { Wanted } from "./next-segment.ts";

/** One parked reader: `start` is the byte it needs, `end` the end of what it will need after that. */
export type Wait = Wanted & {
  /** When it was parked, of the clock's `elapsed`. */
  readonly parkedAt: number;
  readonly wake: () => void;
};

/** A reader's own view of its wait. */
export type Parked = {
  /** Resolves when its byte may be present, or the fill has changed; the reader then looks again. */
  readonly woken: Promise<void>;
  /** Ends the wait, which also resolves `woken`. Idempotent. */
  leave(): void;
};

export class Waits {
  readonly #clock: Clock;
  readonly #parked = new Set<Wait>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#parked.size;
  }

  /** Oldest first. */
  [Symbol.iterator](): Iterator<Wait> {
    return this.#parked.values();
  }

  park({ start, end, ahead }: Wanted): Parked {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wait: Wait = { start, end, ahead, parkedAt: this.#clock.elapsed(), wake: resolve };
    this.#parked.add(wait);
    return {
      woken: promise,
      leave: () => {
        if (this.#parked.delete(wait)) resolve();
      },
    };
  }

  /** Wakes the readers parked inside `range`. Its bytes must be present (F3). */
  wake(range: ByteRange): void {
    for (const wait of this.#parked) {
      if (wait.start >= range.start && wait.start < range.end) this.#release(wait);
    }
  }

  /** Wakes every reader: the fill has failed, say, or its digest is known to be right. */
  wakeAll(): void {
    for (const wait of this.#parked) this.#release(wait);
  }

  #release(wait: Wait): void {
    this.#parked.delete(wait);
    wait.wake();
  }
}
