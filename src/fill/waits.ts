/**
 * Owns Waits: readers parked at an offset until that byte is present. It wakes; it never reads and never decides what to
 * fetch. Oldest first, which is the order in which lanes serve them.
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
  /** Resolves at the next wake-up that concerns its byte; the reader looks again whether that is there. */
  readonly woken: Promise<void>;
  /** Gives the wait up, which wakes it as well. Idempotent. */
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

  /** Wakes whoever is parked inside `range`, whose bytes are present by now (F3). */
  wake(range: ByteRange): void {
    for (const wait of this.#parked) {
      if (wait.start >= range.start && wait.start < range.end) this.#release(wait);
    }
  }

  /** Wakes everybody: the fill failed, or its digest is known. */
  wakeAll(): void {
    for (const wait of this.#parked) this.#release(wait);
  }

  #release(wait: Wait): void {
    this.#parked.delete(wait);
    wait.wake();
  }
}
