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

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}
