/** Owns how a time of a schedule is written for people. */

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** "Sun 2026-11-29 03:00", in the time of this machine. */
export function timeText(time: number): string {
  const at = new Date(time);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${WEEKDAYS[at.getDay()]} ${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
