/** Owns a moment as people read it, in the time zone of this machine and without a year that goes without saying. Pure. */

const TIME_AT = 11;
const DATE_AT = 5;

/** Epoch ms: "14:03:05" of today, "11-27 14:03" of this year, "2025-11-27" of another. `now` is epoch ms too. */
export function formatMoment(at: number, now: number): string {
  const [text, today] = [localText(at), localText(now)];
  if (text.slice(0, TIME_AT) === today.slice(0, TIME_AT)) return text.slice(TIME_AT);
  if (text.slice(0, DATE_AT) === today.slice(0, DATE_AT)) return text.slice(DATE_AT, -":00".length);
  return text.slice(0, TIME_AT - 1);
}

/** "2026-11-28 14:03:05" */
function localText(at: number): string {
  const date = new Date(at);
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(twoDigits).join("-");
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(":")}`;
}

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}
