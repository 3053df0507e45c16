/**
 * Owns Schedule: when something is to be done again and again, as people write it in cron's five fields or in a word (`daily`, `monthly`), in
 * the time zone of this machine. It sets no timer (timetable.ts does). A text that cannot be read is refused with the nearest good one.
 */
import { Cron } from "croner";
import { GranaryError } from "../errors.ts";
import { nearestTo } from "./nearest-schedule.ts";
import { timeText } from "./time-text.ts";

export type Schedule = {
  /** As it was written. */
  readonly text: string;
  /** The first time after `time`; undefined when there is none any more. Both are epoch ms. */
  next(time: number): number | undefined;
};

/** cron's own words have an @ in front; people leave it out. */
const WORDS = ["hourly", "daily", "weekly", "monthly", "yearly"];
/** Longer texts are no schedules. */
const MOST_LENGTH = 200;

/**
 * Throws `config-invalid`: what is wrong, the nearest good schedule, and when that would come next after `now` (epoch ms). The clause has no
 * key in front: the caller knows where the text stands.
 */
export function parseSchedule(text: string, now: number): Schedule {
  const problem = problemOf(text, now);
  if (problem === undefined) return { text, next: (time) => nextTimes(text, time, 1)[0] };
  const nearest = nearestTo(
    text.slice(0, MOST_LENGTH),
    (candidate) => problemOf(candidate, now) === undefined,
  );
  const times = nextTimes(nearest, now, 3).map(timeText).join(", ");
  const message = `"${text.slice(0, 80)}" is no schedule: ${problem}. Did you mean "${nearest}"? That would be ${times}`;
  throw new GranaryError("config-invalid", `${message}.`, { found: text.slice(0, 80), saysWhatToDo: true });
}

/** Why it cannot be used, as a clause; undefined when it can. */
function problemOf(text: string, now: number): string | undefined {
  if (text.length > MOST_LENGTH) return "it is too long";
  const parts = text.trim().split(/\s+/);
  const isWord = parts.length === 1 && WORDS.includes(wordOf(text));
  if (!isWord && parts.length !== 5)
    return `expected five fields (minute, hour, day of the month, month, day of the week) or one of ${WORDS.join(", ")}`;
  try {
    return nextTimes(text, now, 1).length === 0 ? "there is no such day" : undefined;
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return said.replace(/^CronPattern: /, "").replace(/\.$/, "");
  }
}

/** Throws plain errors of croner. */
function nextTimes(text: string, time: number, count: number): number[] {
  const word = wordOf(text);
  const pattern = WORDS.includes(word) ? `@${word}` : text.trim();
  const cron = new Cron(pattern, { mode: "5-part", paused: true });
  return cron.nextRuns(count, new Date(time)).map((at) => at.getTime());
}

function wordOf(text: string): string {
  return text.trim().toLowerCase().replace(/^@/, "");
}
