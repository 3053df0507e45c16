/**
 * Owns merging of equal work: while a key's work runs, everybody who asks gets the same promise. No caller's signal goes
 * in, so no caller can end it for the others (F5).
 */
import type { Clock } from "../observe/clock.ts";

export type Flight<T> = {
  readonly result: Promise<T>;
  /** When the work began, of the clock's `elapsed`. */
  readonly startedAt: number;
};

export class SingleFlight<T, K = string> {
  readonly #flights = new Map<K, Flight<T>>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The running flight of `key`, or a new one of `work`. Look-up and insert share a tick. */
  join(key: K, work: () => Promise<T>): Flight<T> {
    const running = this.#flights.get(key);
    if (running !== undefined) return running;
    const flight = { result: this.#run(key, work), startedAt: this.#clock.elapsed() };
    this.#flights.set(key, flight);
    return flight;
  }

  run(key: K, work: () => Promise<T>): Promise<T> {
    return this.join(key, work).result;
  }

  async #run(key: K, work: () => Promise<T>): Promise<T> {
    // The work begins in a later tick than the insert, so that a synchronous failure cannot leave a flight behind.
    await Promise.resolve();
    try {
      return await work();
    } finally {
      this.#flights.delete(key);
    }
  }
}
