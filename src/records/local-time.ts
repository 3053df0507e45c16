/** Owns the names of hours, days and months in the time zone of this machine, in which people ask for traffic. Pure. */

const LATEST = Date.UTC(9999, 11, 30);
const DAY_CHARACTERS = 10;
const MONTH_CHARACTERS = 7;

/** Epoch ms -> "2026-11-28T14". A date that no calendar has becomes the first or the last one. */
export function hourOf(at: number): string {
  const date = new Date(Math.min(LATEST, Math.max(0, Number.isFinite(at) ? at : 0)));
  const parts = [date.getMonth() + 1, date.getDate()].map(twoDigits);
  return `${[date.getFullYear(), ...parts].join("-")}T${twoDigits(date.getHours())}`;
}

/** Epoch ms -> "2026-11-28" */
export function dayOf(at: number): string {
  return hourOf(at).slice(0, DAY_CHARACTERS);
}

/** The day so many days of the calendar before that of `at` (epoch ms); days on which clocks are set have 23 or 25 hours. */
export function dayBefore(at: number, days: number): string {
  const date = new Date(at);
  date.setHours(12);
  date.setDate(date.getDate() - days);
  return dayOf(date.getTime());
}

/** Epoch ms -> "2026-11" */
export function monthOf(at: number): string {
  return hourOf(at).slice(0, MONTH_CHARACTERS);
}

export type PeriodUnit = "hour" | "day" | "month";

/** Where clocks are set by half an hour, an hour of the day can be that short. */
const HALF_HOUR_MS = 1_800_000;

/**
 * The names of all hours, days or months from the day `first` ("2026-11-28") until now (epoch ms), newest first; at most `most`. An hour that
 * a day does not have is left out, and one that it has twice is there once.
 */
export function periodsUntil(now: number, unit: PeriodUnit, first: string, most: number): string[] {
  const start = unit === "month" ? first.slice(0, MONTH_CHARACTERS) : first;
  const names = new Set<string>();
  // Before 1970 all names are the same.
  for (let back = 0; names.size < most && back < 3 * most; back += 1) {
    const name = periodBefore(now, unit, back);
    if (name < start && names.size > 0) break;
    names.add(name);
  }
  return [...names];
}

function periodBefore(now: number, unit: PeriodUnit, back: number): string {
  if (unit === "hour") return hourOf(now - back * HALF_HOUR_MS);
  if (unit === "day") return dayBefore(now, back);
  const date = new Date(now);
  date.setHours(12);
  date.setDate(1);
  date.setMonth(date.getMonth() - back);
  return monthOf(date.getTime());
}

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}
