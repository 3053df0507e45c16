/**
 * Owns the minutes of the last hour. They are the server's own numbers: all of them when the page begins or has missed some, and then the last two
 * with each snapshot. The page adds up nothing itself.
 */
import { effect, signal } from "@preact/signals";
import { get } from "./api.js";
import { status } from "./live.js";
import { wholeHour } from "./whole-hour.js";

/** All minutes until now, the oldest first; those without traffic are 0. */
export const minutes = signal(/** @type {readonly import("./whole-hour.js").Minute[]} */ ([]));

/** Of the last snapshot; more than this later, minutes between may be missing. */
let last = 0;
const GAP_MS = 60_000;

effect(() => {
  const now = status.value;
  if (now === undefined) return;
  minutes.value = wholeHour(minutes.peek(), now.traffic.minutes, now);
  if (Math.abs(now.now - last) > GAP_MS) askAll();
  last = now.now;
});

function askAll() {
  get("/api/v1/traffic/minutes").then(
    ({ items }) => {
      const server = status.peek();
      if (server !== undefined) minutes.value = wholeHour(minutes.peek(), items, server);
    },
    () => {
      // The hour then begins with this page.
    },
  );
}
