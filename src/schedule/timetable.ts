/**
 * Owns what is done by schedules: it waits for each next time and then calls. It looks at the date every minute at least, so that a clock that
 * is set, and a machine that slept, do no harm: what was due in between is done once, and late. What happens at a time is the caller's.
 */
import type { Clock, Timer } from "../observe/clock.ts";
import type { Schedule } from "./schedule.ts";

export type TimetableEntry = {
  /** Unique in the timetable. */
  readonly name: string;
  readonly schedule: Schedule;
  /** Must not throw. */
  readonly run: () => void;
  /** When it ran last, epoch ms; undefined when it never did. With it, one time that was missed meanwhile is made up. */
  readonly ranAt?: number | undefined;
};

/** The longest sleep: the date can be set meanwhile. */
const LOOK_MS = 60_000;
/** After a start, before a missed time is made up: first the clients, who come back at the same moment. */
const CATCH_UP_MS = 2 * 60_000;

type Waiting = TimetableEntry & { dueAt: number | undefined };

export class Timetable {
  readonly #clock: Clock;
  #waiting: Waiting[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Replaces all entries. */
  set(entries: readonly TimetableEntry[]): void {
    const now = this.#clock.now();
    this.#waiting = entries.map((entry) => ({ ...entry, dueAt: dueAtOf(entry, now) }));
    this.#wait();
  }

  /** When the entry is due next, epoch ms; undefined where there is no such entry, or no such time. */
  dueAt(name: string): number | undefined {
    return this.#waiting.find((entry) => entry.name === name)?.dueAt;
  }

  close(): void {
    this.#waiting = [];
    this.#timer?.cancel();
  }

  #wait(): void {
    this.#timer?.cancel();
    const next = Math.min(...this.#waiting.map(({ dueAt = Number.POSITIVE_INFINITY }) => dueAt));
    if (next === Number.POSITIVE_INFINITY) return;
    const ms = Math.min(LOOK_MS, Math.max(0, next - this.#clock.now()));
    this.#timer = this.#clock.after(ms, () => this.#look());
  }

  #look(): void {
    const now = this.#clock.now();
    for (const entry of this.#waiting) {
      const next = entry.schedule.next(now);
      const isDue = entry.dueAt !== undefined && entry.dueAt <= now;
      // A date that was set back brings earlier times again.
      if (isDue || (next !== undefined && entry.dueAt !== undefined && next < entry.dueAt))
        entry.dueAt = next;
      if (isDue) entry.run();
    }
    this.#wait();
  }
}

/** The next time of its schedule; soon, when a time since it ran last was missed. */
function dueAtOf({ schedule, ranAt }: TimetableEntry, now: number): number | undefined {
  const next = schedule.next(now);
  const missed = ranAt === undefined || ranAt > now ? undefined : schedule.next(ranAt);
  if (missed === undefined || missed > now) return next;
  return Math.min(now + CATCH_UP_MS, next ?? Number.POSITIVE_INFINITY);
}
