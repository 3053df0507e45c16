/**
 * Owns one rate: how many bytes it owes by now, computed from the time that has passed and never from counting timer
 * ticks, so that a late timer is made up for. It carries nothing itself.
 */

/** What an idle line may send at once when something comes: a few packets, two hundredths of a second's worth. */
const BURST_MS = 20;

export class Pace {
  #rate: number | undefined;
  /** Everything that could have been carried up to then is carried or lost; of the same clock as `now`. */
  #spentUntil = 0;

  /** Bytes per second; undefined is no limit. */
  constructor(rate: number | undefined) {
    this.#rate = rate;
  }

  get rate(): number | undefined {
    return this.#rate;
  }

  change(rate: number | undefined, now: number): void {
    this.#rate = rate;
    this.#spentUntil = now;
  }

  /** Whole bytes. */
  allowance(now: number): number {
    if (this.#rate === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(0, Math.floor(((now - this.#spentUntil) * this.#rate) / 1000));
  }

  spend(bytes: number): void {
    if (this.#rate !== undefined) this.#spentUntil += (bytes * 1000) / this.#rate;
  }

  /** Nothing was waiting until now: what could have been carried is lost. */
  idled(now: number): void {
    this.#spentUntil = Math.max(this.#spentUntil, now - BURST_MS);
  }
}
