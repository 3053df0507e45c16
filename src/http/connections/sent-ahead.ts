/**
 * Owns what all clients together have sent ahead of their answers: how many bytes of it are held, and in which order it is gone on
 * with. Whoever sends one request at a time never meets it.
 */

/**
 * What connections may have sent ahead: far beyond real clients, of which none does it, and far below what memory there is.
 */
const MOST_BYTES = 64 * 2 ** 20;
/**
 * How many connections go on before new ones are looked at. libuv accepts one connection in each round of its loop: where four hundred
 * go on in each, the next client waits for four hundred times as many answers.
 */
const TURNS_A_ROUND = 4;

export class SentAhead {
  #left: number;
  readonly #waiting: (() => void)[] = [];
  #isScheduled = false;

  constructor(mostBytes = MOST_BYTES) {
    this.#left = mostBytes;
  }

  /** Bytes that may still be held. */
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
