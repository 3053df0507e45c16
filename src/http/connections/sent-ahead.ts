/**
 * Owns what all clients together have sent ahead of their answers (pipelining): how many bytes of it are kept, and in which order it is
 * worked on. A client that sends one request at a time is never affected.
 */

/** How many bytes may be kept. No real client sends ahead, and a small machine has ten times as much memory. */
const MOST_BYTES = 64 * 2 ** 20;
/**
 * How many connections go on in one round of the event loop. libuv accepts one new connection in each round: with four hundred here, a
 * new client would wait for four hundred answers to others.
 */
const TURNS_A_ROUND = 4;

export class SentAhead {
  #left: number;
  readonly #waiting: (() => void)[] = [];
  #isScheduled = false;

  constructor(mostBytes = MOST_BYTES) {
    this.#left = mostBytes;
  }

  /** Bytes that may still be kept. */
  get left(): number {
    return this.#left;
  }

  /** False when there is no room for them. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }

  /** Runs `goOn` when those before it, and whatever else there is to do, have had their turn. */
  later(goOn: () => void): void {
    this.#waiting.push(goOn);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      for (const goOn of this.#waiting.splice(0, TURNS_A_ROUND)) goOn();
      this.#schedule();
    });
  }
}
