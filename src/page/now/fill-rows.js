/**
 * Owns the list of fills as it stands on the page: each keeps its place while it runs, one that ended says how for a moment, and a new one takes
 * the place of one that goes. So nothing moves under the eyes of who looks at it. Pure.
 */
/** @typedef {import("../live.js").Status} Status */
/** @typedef {Status["fills"][number]} Fill */
/** @typedef {import("../live.js").ToldEvent} ToldEvent */
/** @typedef {{ readonly at: number, readonly how: "whole" | "paused" | "failed" | "unknown", readonly isGoing: boolean }} End */
/** @typedef {{ readonly key: string, readonly fill: Fill, readonly end?: End }} Row */

/** How long one that ended is shown, by the clock of the server; in the last second of it it goes. */
const SHOWN_MS = 5_000;
const GOING_MS = 4_000;

/** @type {Readonly<Record<string, End["how"]>>} */
const ENDS = {
  "fill-ended": "whole",
  "fill-paused": "paused",
  "fill-failed": "failed",
  "digest-mismatch": "failed",
};

/**
 * The rows after a snapshot.
 * @param {readonly Row[]} before
 * @param {Pick<Status, "fills" | "now">} snapshot
 * @param {readonly ToldEvent[]} told the newest first
 * @returns {readonly Row[]}
 */
export function nextRows(before, { fills, now }, told) {
  const current = new Map(fills.map((fill) => [keyOf(fill), fill]));
  const known = new Set(before.map(({ key }) => key));
  const fresh = fills.filter((fill) => !known.has(keyOf(fill))).sort((a, b) => a.begunAt - b.begunAt);
  /** @type {(row: Row) => readonly Row[]} */
  const after = (row) => {
    const fill = current.get(row.key);
    if (fill !== undefined) return [{ key: row.key, fill }];
    const ended = endedRow(row, now, told);
    const next = ended.end.isGoing ? fresh.shift() : undefined;
    if (next !== undefined) return [{ key: keyOf(next), fill: next }];
    return now - ended.end.at < SHOWN_MS ? [ended] : [];
  };
  return [...before.flatMap(after), ...fresh.map((fill) => ({ key: keyOf(fill), fill }))];
}

/** @param {Fill} fill */
function keyOf({ upstream, digest }) {
  return `${upstream} ${digest}`;
}

/**
 * @param {Row} row
 * @param {number} now
 * @param {readonly ToldEvent[]} told
 * @returns {Row & { readonly end: End }}
 */
function endedRow({ key, fill, end }, now, told) {
  const how = end === undefined || end.how === "unknown" ? howEnded(fill, told) : end.how;
  const { cells, ...rest } = fill;
  const still = {
    lanes: 0,
    lanesAt: [],
    readers: 0,
    readersAt: [],
    waits: 0,
    bytesPerSecond: 0,
  };
  const last =
    how === "whole"
      ? { ...rest, ...still, state: "committed", present: fill.size, runs: [{ start: 0, end: fill.size }] }
      : { ...fill, ...still };
  const at = end?.at ?? now;
  return { key, fill: last, end: { at, how, isGoing: now - at >= GOING_MS } };
}

/**
 * @param {Fill} fill
 * @param {readonly ToldEvent[]} told
 * @returns {End["how"]}
 */
function howEnded(fill, told) {
  const event = told.find(
    ({ kind, facts }) =>
      ENDS[kind] !== undefined && facts.digest === fill.digest && facts.upstream === fill.upstream,
  );
  return (event !== undefined && event.at >= fill.begunAt && ENDS[event.kind]) || "unknown";
}
