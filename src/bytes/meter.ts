/** Owns how fast something flows now: bytes of the last seconds, counted in a ring of whole seconds. It keeps no history beyond that. */

/** Seconds that the rate is taken over: long enough to be calm, and short enough to show a line that has stopped. */
const SECONDS = 5;

export class Meter {
  readonly #bytes: number[] = Array.from({ length: SECONDS + 1 }, () => 0);
  /** The second that is being counted, of the clock's `elapsed`. */
  #second = Number.NEGATIVE_INFINITY;
  #since: number | undefined;
  #total = 0;

  /** Bytes since the beginning. */
  get total(): number {
    return this.#total;
  }

  /** `now` is the clock's `elapsed`, ms. */
  add(bytes: number, now: number): void {
    this.#turnTo(Math.floor(now / 1000));
    this.#since ??= now;
    this.#total += bytes;
    const place = this.#second % this.#bytes.length;
    this.#bytes[place] = (this.#bytes[place] ?? 0) + bytes;
  }

  /** Bytes per second over the last few seconds, or since the first byte where that is shorter. */
  perSecond(now: number): number {
    if (this.#since === undefined) return 0;
    this.#turnTo(Math.floor(now / 1000));
    const sum = this.#bytes.reduce((all, bytes) => all + bytes, 0);
    const ms = Math.min(now - this.#since, SECONDS * 1000 + (now % 1000));
    return Math.round((sum * 1000) / Math.max(ms, 1000));
  }

  #turnTo(second: number): void {
    if (second <= this.#second) return;
    const passed = Math.min(second - this.#second, this.#bytes.length);
    for (let back = 0; back < passed; back++) this.#bytes[(second - back) % this.#bytes.length] = 0;
    this.#second = second;
  }
}
