/** Owns how the minutes of the last hour are put together from what the server told of them. Pure. */

/** @typedef {{ readonly at: number, readonly served: number, readonly fetched: number }} Minute */

const MINUTE_MS = 60_000;
const SHOWN = 60;

/**
 * `known` with what came, as the hour before `now`. A server that was started anew has forgotten what was before: that stays.
 * @param {readonly Minute[]} known
 * @param {readonly Minute[]} came
 * @param {{ readonly now: number, readonly startedAt: number }} server
 * @returns {readonly Minute[]}
 */
export function wholeHour(known, came, { now, startedAt }) {
  const byTime = new Map(known.map((minute) => [minute.at, minute]));
  for (const minute of came) {
    const before = byTime.get(minute.at);
    const isLess = before !== undefined && minute.served + minute.fetched < before.served + before.fetched;
    if (!isLess || minute.at > startedAt) byTime.set(minute.at, minute);
  }
  const newest = Math.floor(now / MINUTE_MS) * MINUTE_MS;
  return Array.from({ length: SHOWN }, (_, index) => {
    const at = newest - (SHOWN - 1 - index) * MINUTE_MS;
    return byTime.get(at) ?? { at, served: 0, fetched: 0 };
  });
}
