/**
 * Owns how long records are kept, as dates. A clock that was wrong must not delete a history: sums are deleted by their date only while the clock
 * has gone on evenly for some time. Addresses of clients go at once when their time is over.
 */
import type { Retention } from "../metadata/record-retention.ts";
import type { Clock } from "../observe/clock.ts";
import { dayOf, hourOf, monthOf } from "./local-time.ts";

export type RecordSettings = {
  /** Sums by day and by month are kept for so long. */
  readonly keepMs: number;
  /** Addresses of clients are kept for so long; 0: they are not kept at all. */
  readonly clientsMs: number;
};

export const DEFAULT_RECORDS: RecordSettings = { keepMs: 730 * 86_400_000, clientsMs: 30 * 86_400_000 };

const DAY_MS = 86_400_000;
/** Sums by hour are kept for so long; those of the day go on. */
const HOURS_MS = 14 * DAY_MS;
/** A clock that was set by less is still even. */
const EVEN_MS = 60_000;
const STEADY_MS = 3_600_000;

export class RetentionClock {
  readonly #clock: Clock;
  #offset: number;
  #evenSince: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = clock.now() - clock.elapsed();
    this.#evenSince = clock.elapsed();
  }

  of({ keepMs, clientsMs }: RecordSettings): Retention {
    const now = this.#clock.now();
    const isSteady = this.#isSteady(now);
    const before = {
      hour: hourOf(now - Math.min(HOURS_MS, keepMs)),
      day: dayOf(now - keepMs),
      month: monthOf(now - keepMs),
    };
    const first = now - clientsMs;
    // Of an address with a date in the future nobody knows how old it is.
    const last = isSteady ? now + DAY_MS : Number.MAX_SAFE_INTEGER;
    const clients = { first, last, firstDay: dayOf(first), lastDay: dayOf(last) };
    return { before: isSteady ? before : undefined, clients: clientsMs === 0 ? "all" : clients };
  }

  #isSteady(now: number): boolean {
    const elapsed = this.#clock.elapsed();
    if (Math.abs(now - elapsed - this.#offset) > EVEN_MS) this.#evenSince = elapsed;
    this.#offset = now - elapsed;
    return elapsed - this.#evenSince >= STEADY_MS;
  }
}
