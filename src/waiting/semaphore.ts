/** Owns that not too many pieces of work of one kind run at once: whoever comes late waits for its turn, in order. */

type Line = { running: number; readonly waiting: (() => void)[] };

export class Semaphore {
  readonly #most: number;
  readonly #lines = new Map<string, Line>();

  /** At most `most` of each kind. */
  constructor(most: number) {
    this.#most = most;
  }

  async run<T>(kind: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(kind) ?? { running: 0, waiting: [] };
    this.#lines.set(kind, line);
    if (line.running < this.#most) line.running += 1;
    else await new Promise<void>((resolve) => line.waiting.push(resolve));
    try {
      return await work();
    } finally {
      this.#pass(kind, line);
    }
  }

  /** The turn of one that ended is the next one's. */
  #pass(kind: string, line: Line): void {
    const next = line.waiting.shift();
    if (next === undefined) line.running -= 1;
    else next();
    if (line.running === 0) this.#lines.delete(kind);
  }
}
