/** Owns the sentences about a fill: for whom it comes in, and why it waits. Pure. */
import { counted, duration } from "../format.js";

/** @typedef {import("../live.js").Status} Status */
/** @typedef {Status["fills"][number]} Fill */

/**
 * For whom it is, in words that say how urgent it is.
 * @param {Fill} fill
 */
export function forWhom({ purpose, readers, waits, serves }) {
  if (purpose === "warm") return "warm-up";
  if (purpose === "prefetch") return "fetched ahead";
  const clients = new Set(serves.flatMap(({ client }) => client ?? [])).size;
  const who = counted(Math.max(1, readers, clients), "client");
  if (waits === 0) return who;
  return waits >= readers
    ? `${who} ${waits === 1 ? "waits" : "wait"}`
    : `${who}, ${waits} ${waits === 1 ? "waits" : "wait"}`;
}

/** @type {Readonly<Record<string, string>>} */
const STATES = {
  verifying: "All bytes are here and are being checked.",
  paused: "It stops, because nobody waits for it; what came is kept.",
  stalled: "All bytes are here, but the disk cannot take them.",
  bypassing: "The disk cannot keep it: it is passed through to its clients.",
};

/**
 * Why nothing comes at the moment; undefined when that needs no words.
 * @param {Fill} fill
 * @param {Status["upstreams"][number] | undefined} upstream
 * @param {number} now epoch ms
 */
export function held({ state, heldForMs, lanes, upstream: name }, upstream, now) {
  if (STATES[state] !== undefined) return STATES[state];
  if (upstream?.offlineSince !== undefined) return `It waits: ${name} is set offline.`;
  if (lanes === 0 && upstream !== undefined && upstream.circuit !== "closed")
    return `It waits: ${name} does not answer${againText(upstream.retryAt, now)}.`;
  if (heldForMs !== undefined)
    return `It leaves the line to clients that wait, for ${duration(heldForMs)} now.`;
  return undefined;
}

/**
 * ", is asked again in 12 s"; nothing where the time is over or not known.
 * @param {number | undefined} at epoch ms
 * @param {number} now epoch ms
 */
function againText(at, now) {
  return at === undefined || at <= now ? "" : `, and is asked again in ${duration(at - now)}`;
}
