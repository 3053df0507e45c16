/**
 * Owns what was served and fetched in each minute of the last hour, for a chart. It is in memory alone: hours and days are kept, minutes begin
 * anew with the process.
 */
import type { TrafficSums } from "../metadata/traffic-sums.ts";

export type MinuteSums = { readonly at: number; served: number; fetched: number };

const MINUTE_MS = 60_000;
const KEPT = 60;

export class RecentMinutes {
  /** The oldest first; minutes without traffic are left out. */
  readonly #minutes: MinuteSums[] = [];

  /** Bytes that were counted until `now`; epoch ms. */
  add(now: number, { served, fetched }: Readonly<TrafficSums>): void {
    const at = Math.floor(now / MINUTE_MS) * MINUTE_MS;
    let last = this.#minutes.at(-1);
    // A clock that was set back goes on in the minute that is there.
    if (last === undefined || last.at < at) {
      last = { at, served: 0, fetched: 0 };
      this.#minutes.push(last);
      if (this.#minutes.length > KEPT) this.#minutes.shift();
    }
    last.served += served;
    last.fetched += fetched;
  }

  /** Those of the hour before `now`. */
  since(now: number): readonly MinuteSums[] {
    return this.#minutes.filter(({ at }) => now - at <= KEPT * MINUTE_MS);
  }
}
