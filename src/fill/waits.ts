/**
 * Owns Waits: the readers that are parked at an offset until that byte is present, the most urgent first and of these the oldest, which is the
 * order in which lanes serve them. It wakes them. It never reads, and never decides what to fetch.
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import type { Clock } from "../observe/clock.ts";
import { PURPOSES, type Purpose, rankOf } from "../purpose.ts";
import type { Wanted } from "./next-segment.ts";

/** One parked reader: `start` is the byte it needs, `end` the end of what it will need after that. */
export type Wait = Wanted & {
  readonly purpose: Purpose;
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
  /** By purpose, the most urgent first. */
  readonly #parked: readonly Set<Wait>[] = PURPOSES.map(() => new Set<Wait>());

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#parked.reduce((sum, { size }) => sum + size, 0);
  }

  /** The most urgent first, and of these the oldest. */
  *[Symbol.iterator](): Iterator<Wait> {
    for (const equals of this.#parked) yield* equals;
  }

  /** Those of the most urgent purpose that anybody waits for: nobody starves for a less urgent one. */
  get pressing(): Iterable<Wait> {
    return this.#parked.find(({ size }) => size > 0) ?? [];
  }

  park({ start, end, ahead, purpose }: Wanted & { readonly purpose: Purpose }): Parked {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wait: Wait = { start, end, ahead, purpose, parkedAt: this.#clock.elapsed(), wake: resolve };
    this.#equals(purpose)?.add(wait);
    return {
      woken: promise,
      leave: () => {
        if (this.#equals(purpose)?.delete(wait)) resolve();
      },
    };
  }

  /** Wakes the readers parked inside `range`. Its bytes must be present (F3). */
  wake(range: ByteRange): void {
    for (const wait of this) {
      if (wait.start >= range.start && wait.start < range.end) this.#release(wait);
    }
  }

  /** Wakes every reader: the fill has failed, say, or its digest is known to be right. */
  wakeAll(): void {
    for (const wait of this) this.#release(wait);
  }

  #release(wait: Wait): void {
    this.#equals(wait.purpose)?.delete(wait);
    wait.wake();
  }

  #equals(purpose: Purpose): Set<Wait> | undefined {
    return this.#parked[rankOf(purpose)];
  }
}
