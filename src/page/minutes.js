/** Owns the minutes of the last hour: those before the page was opened come from the server, later ones from its snapshots. */
import { effect, signal } from "@preact/signals";
import { get } from "./api.js";
import { status } from "./live.js";

/** @typedef {{ readonly at: number, served: number, fetched: number }} Minute */

const MINUTE_MS = 60_000;
const SHOWN = 60;

export const minutes = signal(/** @type {readonly Minute[]} */ ([]));

/** @type {{ at: number, served: number, fetched: number } | undefined} */
let last;

/** @param {number} at */
function minuteOf(at) {
  return Math.floor(at / MINUTE_MS) * MINUTE_MS;
}

/**
 * All minutes until now; those without traffic are 0.
 * @param {readonly Minute[]} known
 * @param {number} now
 */
function whole(known, now) {
  const byTime = new Map(known.map((minute) => [minute.at, minute]));
  return Array.from({ length: SHOWN }, (_, index) => {
    const at = minuteOf(now) - (SHOWN - 1 - index) * MINUTE_MS;
    return byTime.get(at) ?? { at, served: 0, fetched: 0 };
  });
}

effect(() => {
  const now = status.value;
  if (now === undefined) return;
  const { served, fetched } = now.traffic.all;
  const before = last;
  last = { at: now.now, served, fetched };
  const filled = whole(minutes.peek(), now.now);
  const newest = filled.at(-1);
  if (newest !== undefined && before !== undefined) {
    const grown = {
      at: newest.at,
      served: newest.served + Math.max(0, served - before.served),
      fetched: newest.fetched + Math.max(0, fetched - before.fetched),
    };
    filled.splice(-1, 1, grown);
  }
  minutes.value = filled;
});

get("/api/v1/traffic/minutes").then(
  ({ items }) => {
    const mine = new Map(minutes.peek().map((minute) => [minute.at, minute]));
    for (const minute of items) mine.set(minute.at, minute);
    minutes.value = whole([...mine.values()], status.peek()?.now ?? Date.now());
  },
  () => {
    // The hour then begins with this page.
  },
);
