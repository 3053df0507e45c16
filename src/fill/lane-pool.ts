/**
 * Owns the running Lanes of one Fill as a set: starts them, ends them, and tells when one ended. Each has an AbortController of its
 * own, which no client's signal ever reaches (F5). It never chooses what a lane fetches.
 */
import type { Origin } from "../origin.ts";
import type { Claim } from "./claims.ts";

export type Lane = {
  readonly signal: AbortSignal;
  /** What the lane is fetching; undefined between two claims. */
  claim: Claim | undefined;
  /** Where it fetches from. */
  origin: Origin | undefined;
  /** When bytes of its came last, of the clock's `elapsed`; undefined before the first. */
  servedAt: number | undefined;
  /** Bytes that it brought so far. */
  brought: number;
};

type RunningLane = Lane & { readonly abort: AbortController; done: Promise<void> };

export class LanePool {
  readonly #running = new Set<RunningLane>();

  get count(): number {
    return this.#running.size;
  }

  [Symbol.iterator](): Iterator<Lane> {
    return this.#running.values();
  }

  /** Runs `work` as a lane; `ended` is called once, after the lane is no longer counted, with what `work` threw. */
  start(work: (lane: Lane) => Promise<void>, ended: (lane: Lane, error: unknown) => void): void {
    const abort = new AbortController();
    const lane: RunningLane = {
      abort,
      signal: abort.signal,
      claim: undefined,
      origin: undefined,
      servedAt: undefined,
      brought: 0,
      done: Promise.resolve(),
    };
    this.#running.add(lane);
    const finish = (error: unknown) => {
      this.#running.delete(lane);
      ended(lane, error);
    };
    lane.done = work(lane).then(() => finish(undefined), finish);
  }

  /** Ends one lane; what it received is still written. */
  end(lane: Lane): void {
    for (const running of this.#running) if (running === lane) running.abort.abort();
  }

  /** Ends every lane but `except`; resolves when they have written what they had. */
  async endAll(except?: Lane): Promise<void> {
    const others = [...this.#running].filter((lane) => lane !== except);
    for (const lane of others) lane.abort.abort();
    await Promise.all(others.map((lane) => lane.done));
  }
}
