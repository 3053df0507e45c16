/**
 * Owns how the server's names of hours, days and months are written for people. They are names of its own clock, not points in time: nothing
 * here is moved into the time zone of the browser. Pure.
 */

/** @typedef {"hour" | "day" | "month"} Unit */

/** The parts of "2026-11-28T14" as a date that no time zone moves. @param {string} name */
function dateOf(name) {
  const [year = 1970, month = 1, day = 1, hour = 0] = (name.match(/\d+/g) ?? []).map(Number);
  return new Date(Date.UTC(year, month - 1, day, hour));
}

/** @param {Intl.DateTimeFormatOptions} options */
function format(options) {
  return new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
}

const MONTH = format({ month: "long", year: "numeric" });
const DAY = format({ weekday: "short", day: "numeric", month: "long", year: "numeric" });
const SHORT_MONTH = format({ month: "short" });
const SHORT_DAY = format({ day: "numeric", month: "short" });

/** @param {number} hour */
function clock(hour) {
  return `${String(hour).padStart(2, "0")}:00`;
}

/**
 * "November 2026", "Sat, 28 November 2026", "28 Nov, 14:00 to 15:00".
 * @param {string} name @param {Unit} unit
 */
export function periodTitle(name, unit) {
  const date = dateOf(name);
  if (unit === "month") return MONTH.format(date);
  if (unit === "day") return DAY.format(date);
  const hour = date.getUTCHours();
  return `${SHORT_DAY.format(date)}, ${clock(hour)} to ${clock((hour + 1) % 24)}`;
}

/**
 * What stands below a bar; "" for most of them: there is no room for all.
 * @param {string} name @param {Unit} unit @param {number} index from the left
 */
export function periodMark(name, unit, index) {
  const date = dateOf(name);
  if (unit === "month") {
    const month = date.getUTCMonth();
    if (month === 0) return String(date.getUTCFullYear());
    return month % 3 === 0 ? SHORT_MONTH.format(date) : "";
  }
  if (unit === "day") return date.getUTCDay() === 1 ? SHORT_DAY.format(date) : "";
  const hour = date.getUTCHours();
  if (hour === 0 || (index === 0 && hour < 3)) return SHORT_DAY.format(date);
  return hour % 6 === 0 ? clock(hour) : "";
}

/** True for marks that go where there is no room for all. @param {string} name @param {Unit} unit */
export function isLittleMark(name, unit) {
  return unit === "hour" && dateOf(name).getUTCHours() % 12 !== 0;
}

/**
 * Values for lines behind bars: at most four besides 0, each a number that people like.
 * @param {number} most
 * @returns {readonly number[]}
 */
export function scaleLines(most) {
  if (most <= 0) return [];
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((each) => each >= rough) ?? rough;
  const lines = [];
  for (let value = step; value <= most; value += step) lines.push(value);
  return lines;
}

/** @typedef {{ readonly served: number, readonly fetched: number, readonly saved: number, readonly pulls: number }} Sums */

/** @param {readonly Sums[]} items @returns {Sums} */
export function sumOf(items) {
  return items.reduce(
    (sum, { served, fetched, saved, pulls }) => ({
      served: sum.served + served,
      fetched: sum.fetched + fetched,
      saved: sum.saved + saved,
      pulls: sum.pulls + pulls,
    }),
    { served: 0, fetched: 0, saved: 0, pulls: 0 },
  );
}
