/**
 * Owns what waits to be sent to one listener: events in their order, and the latest snapshot alone. It is bounded: who reads so slowly that
 * hundreds of events wait is let go, and catches up by the id of the last one that it has seen.
 */

const MOST_WAITING = 1_000;

export class EventQueue {
  #texts: string[] = [];
  #snapshot: string | undefined;
  #wake: (() => void) | undefined;
  #letGo: (() => void) | undefined;
  #isOver = false;

  event(text: string): void {
    this.#texts.push(text);
    if (this.#texts.length > MOST_WAITING) this.end();
    this.#wake?.();
  }

  /** In place of one that was not sent yet. */
  snapshot(text: string): void {
    this.#snapshot = text;
    this.#wake?.();
  }

  /** What waits now, or as soon as something does; undefined when it is over. */
  async next(): Promise<string | undefined> {
    while (!this.#isOver && this.#texts.length === 0 && this.#snapshot === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#isOver) return undefined;
    const text = this.#texts.join("") + (this.#snapshot ?? "");
    this.#texts = [];
    this.#snapshot = undefined;
    return text;
  }

  /** Resolves when `sending` is over, or the queue: who reads nothing more is not waited for. */
  async sent(sending: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#letGo = resolve;
      sending.then(
        () => resolve(),
        () => resolve(),
      );
      if (this.#isOver) resolve();
    });
  }

  end(): void {
    this.#isOver = true;
    this.#letGo?.();
    this.#texts = [];
    this.#snapshot = undefined;
    this.#wake?.();
  }
}
