/** Owns the fake clock: time that only moves when a test says so, timers fired in order, everything in between settled. */
import type { Clock, Timer } from "../../src/observe/clock.ts";

type Due = { readonly at: number; readonly order: number; readonly run: () => void };

export class FakeClock implements Clock {
  #now = 1_700_000_000_000;
  #setBy = 0;
  #order = 0;
  readonly #due = new Set<Due>();

  now(): number {
    return this.#now + this.#setBy;
  }

  elapsed(): number {
    return this.#now;
  }

  /** Somebody sets the date by `ms`, ahead or back. Nothing passes, and no timer fires. */
  setBy(ms: number): void {
    this.#setBy += ms;
  }

  get timers(): number {
    return this.#due.size;
  }

  after(ms: number, run: () => void): Timer {
    const due = { at: this.#now + Math.max(0, ms), order: this.#order++, run };
    this.#due.add(due);
    return { cancel: () => this.#due.delete(due) };
  }

  /** Lets `ms` pass: each timer fires at its time, after everything before it has settled. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#now = Math.max(this.#now, next.at);
      this.#due.delete(next);
      next.run();
      await settle();
    }
    this.#now = until;
  }

  #next(until: number): Due | undefined {
    let first: Due | undefined;
    for (const due of this.#due) {
      if (due.at > until) continue;
      if (first === undefined || due.at < first.at || (due.at === first.at && due.order < first.order))
        first = due;
    }
    return first;
  }
}

/** Resolves when every promise chain that needs no timer and no I/O has run as far as it can. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
