/**
 * Owns the snapshot that everybody who listens gets each second: taken once for all of them, and not at all while nobody listens. A snapshot
 * that cannot be taken is left out; the next one may be.
 */
import type { Clock, Timer } from "../../observe/clock.ts";

/** One text for all listeners. */
export type SnapshotListener = (json: string) => void;

const EVERY_MS = 1_000;

export class Snapshots {
  readonly #take: () => Promise<unknown>;
  readonly #clock: Clock;
  readonly #listeners = new Set<SnapshotListener>();
  #next: Timer | undefined;
  #isTaking = false;

  constructor(take: () => Promise<unknown>, clock: Clock) {
    this.#take = take;
    this.#clock = clock;
  }

  /** `listener` hears of the next one soon, and of one each second from then on. The returned function ends that. */
  subscribe(listener: SnapshotListener): () => void {
    this.#listeners.add(listener);
    // Who comes while others listen does not wait for their second.
    this.#next?.cancel();
    if (!this.#isTaking) void this.#run();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#next?.cancel();
    };
  }

  async #run(): Promise<void> {
    this.#isTaking = true;
    try {
      const json = JSON.stringify(await this.#take());
      for (const listener of this.#listeners) listener(json);
    } catch {
      // Whoever listens sees that none comes.
    }
    this.#isTaking = false;
    if (this.#listeners.size > 0) this.#next = this.#clock.after(EVERY_MS, () => void this.#run());
  }
}
