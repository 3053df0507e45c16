/**
 * Owns when the records are written: every few seconds while something happens, and never while a client waits. It is one transaction; where that
 * would hold others up, it is several, each in a turn of its own. What was written is forgotten in the same turn, so a crash between two of
 * them loses what a crash before them would have lost, and counts nothing twice. What cannot be written stays in memory, in its bounds, and is
 * tried again. It also deletes what is too old.
 */
import { setImmediate } from "node:timers/promises";
import { isGranaryError, messageOf } from "../errors.ts";
import { isRowsOwnFault } from "../metadata/database-error.ts";
import type { PullRow } from "../metadata/pull-rows.ts";
import type { RecordRows } from "../metadata/record-rows.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import { Episodes } from "../observe/episodes.ts";
import type { Log } from "../observe/log.ts";
import type { Events } from "./events.ts";
import type { Pulls } from "./pulls.ts";
import { type RecordSettings, RetentionClock } from "./retention.ts";
import type { Traffic } from "./traffic.ts";

export type WriterParts = {
  readonly rows: RecordRows;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: Events;
  readonly pulls: Pulls;
  readonly traffic: Traffic;
  readonly settings: () => RecordSettings;
  /** Pulls up to this id are of an earlier process. */
  readonly earlierPulls: number;
};

const EVERY_MS = 5_000;
/** Events and sums that are written at once: a few milliseconds of work. */
const SLICE_ROWS = 400;
const PRUNE_EVERY_MS = 10 * 60_000;
/** So many rows may come between two times, whatever the clock says. */
const PRUNE_EVERY_ROWS = 1_000;
const TROUBLE = "records";

export class RecordWriter {
  readonly #parts: WriterParts;
  readonly #troubles: Episodes;
  readonly #retention: RetentionClock;
  #timer: Timer | undefined;
  #isClosed = false;
  #endedUpTo: number;
  #prunedAt: number | undefined;
  #rowsSince = 0;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#troubles = new Episodes(parts.log, parts.clock, Number.POSITIVE_INFINITY);
    this.#retention = new RetentionClock(parts.clock);
    this.#endedUpTo = parts.earlierPulls;
  }

  /** Something happened that will have to be written. Costs nothing while that is known. */
  arm(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = this.#parts.clock.after(EVERY_MS, () => {
      this.#timer = undefined;
      const { pulls, traffic, events } = this.#parts;
      pulls.settle();
      traffic.collect();
      const all = events.waiting + traffic.waiting;
      if (all > SLICE_ROWS) void this.#flushInTurns(all);
      else this.flush();
      if (!this.#isQuiet) this.arm();
    });
  }

  /** Writes what there is, now. Never throws. */
  flush(): void {
    this.#parts.traffic.collect();
    if (this.#write(Number.POSITIVE_INFINITY, this.#parts.pulls.unwritten()) === "written") this.#prune();
  }

  /** The same of much, and others have their turn in between; `rows` is how many there are, what is added meanwhile waits. Never rejects. */
  async #flushInTurns(rows: number): Promise<void> {
    let pulls = this.#parts.pulls.unwritten();
    for (let left = rows; left > 0; left -= SLICE_ROWS) {
      if (this.#write(Math.min(left, SLICE_ROWS), pulls) !== "written") return;
      pulls = [];
      await setImmediate();
      if (this.#isClosed) return;
    }
    this.#prune();
  }

  /** At most `most` events and sums, and these pulls, in one transaction. */
  #write(most: number, pullRows: readonly PullRow[]): "written" | "nothing" | "failed" {
    const { rows, events, pulls, traffic } = this.#parts;
    const eventRows = events.unwritten(most);
    const deltas = traffic.unwritten(most - eventRows.length);
    const count = eventRows.length + pullRows.length + deltas.length;
    if (count === 0 && this.#endedUpTo === 0) return "nothing";
    try {
      rows.write({ events: eventRows, pulls: pullRows, traffic: deltas, endedUpTo: this.#endedUpTo });
    } catch (error) {
      if (!isRowsOwnFault(error)) {
        this.#failed(error);
        return "failed";
      }
    }
    // No await since they were taken: nothing was added to them.
    this.#endedUpTo = 0;
    events.written(eventRows.length);
    if (pullRows.length > 0) pulls.written();
    traffic.written(deltas.length);
    this.#troubles.over(TROUBLE);
    this.#rowsSince += count;
    return "written";
  }

  /** Ends what runs, and writes it. Nothing may be told afterwards. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#parts.pulls.settle(true);
    this.flush();
  }

  /** Deletes what the settings say, now. */
  prune(): void {
    const retention = this.#retention.of(this.#parts.settings());
    const before = retention.clients === "all" ? Number.POSITIVE_INFINITY : retention.clients.first;
    for (const part of [this.#parts.events, this.#parts.pulls, this.#parts.traffic])
      part.forgetClients(before);
    try {
      this.#parts.rows.prune(retention);
      this.#prunedAt = this.#parts.clock.elapsed();
      this.#rowsSince = 0;
    } catch (error) {
      this.#failed(error);
    }
  }

  #prune(): void {
    const now = this.#parts.clock.elapsed();
    const isDue = this.#prunedAt === undefined || now - this.#prunedAt >= PRUNE_EVERY_MS;
    if (isDue || this.#rowsSince >= PRUNE_EVERY_ROWS) this.prune();
  }

  get #isQuiet(): boolean {
    const { events, pulls, traffic } = this.#parts;
    traffic.collect();
    return pulls.isQuiet && events.waiting === 0 && traffic.waiting === 0;
  }

  #failed(error: unknown): void {
    if (isGranaryError(error, "closed")) return;
    const reason = messageOf(error);
    this.#troubles.trouble(
      TROUBLE,
      { reason },
      `What was pulled and how much cannot be written to the database (${reason}) It stays in memory, is written as soon as that works again, and is lost if Granary stops before.`,
    );
  }
}
