/** Owns how people are told when something comes: times that are ahead, and schedules. Pure. */
import { duration } from "./format.js";

const CLOCK = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const WEEKDAY = new Intl.DateTimeFormat("en", { weekday: "long" });
const DAY = new Intl.DateTimeFormat("en", { day: "numeric", month: "long" });
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY_MS = 24 * HOUR;

/**
 * "in 12 min", "today at 15:00", "tomorrow at 03:00", "on Monday at 03:00", "on December 3 at 03:00".
 * @param {number} at epoch ms
 * @param {number} now epoch ms
 */
export function dueInWords(at, now) {
  const ms = at - now;
  if (ms < MINUTE) return "in less than a minute";
  if (ms < HOUR) return `in ${duration(Math.floor(ms / MINUTE) * MINUTE)}`;
  const days = dayOf(at) - dayOf(now);
  const time = `at ${CLOCK.format(at)}`;
  if (days === 0) return `today ${time}`;
  if (days === 1) return `tomorrow ${time}`;
  return days < 7 ? `on ${WEEKDAY.format(at)} ${time}` : `on ${DAY.format(at)} ${time}`;
}

/** Days, in local time, that are counted on. @param {number} at */
function dayOf(at) {
  return Math.floor((at - new Date(at).getTimezoneOffset() * MINUTE) / DAY_MS);
}

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/** @type {Readonly<Record<string, string>>} */
const NAMED = {
  hourly: "every hour",
  daily: "every day at 00:00",
  weekly: "every Sunday at 00:00",
  monthly: "on the first day of each month",
  yearly: "on the first day of each year",
};

/**
 * What the five fields of cron mean, where that is easily said; else the fields themselves. Their time is that of the server.
 * @param {string} schedule
 */
export function scheduleInWords(schedule) {
  const named = NAMED[schedule.replace(/^@/, "")];
  if (named !== undefined) return named;
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = schedule.trim().split(/\s+/);
  const plain = `at the times ${schedule}`;
  if (month !== "*") return plain;
  const every = /^\*\/(\d+)$/.exec(minute)?.[1];
  if (every !== undefined && [hour, day, weekday].every((field) => field === "*"))
    return `every ${every} minutes`;
  if (!/^\d+$/.test(minute)) return plain;
  if (hour === "*" && day === "*" && weekday === "*") return `every hour at :${minute.padStart(2, "0")}`;
  if (!/^\d+$/.test(hour)) return plain;
  const time = `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  if (day === "*" && weekday === "*") return `every day at ${time}`;
  if (day === "*") return /^[0-7]$/.test(weekday) ? `every ${DAYS[Number(weekday)]} at ${time}` : plain;
  return weekday === "*" && /^\d+$/.test(day) ? `on day ${day} of each month at ${time}` : plain;
}

/** Of minutes after midnight. @param {number} minutes */
export function timeOfDay(minutes) {
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}
