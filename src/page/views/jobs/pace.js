/** Owns how fast a running job is, and how long it still takes, from what was seen of it in the last seconds. */
import { duration, rate } from "../../format.js";

/** Rates over less than this jump. */
const SPAN_MS = 10_000;

/** @typedef {{ readonly at: number, readonly done: number }} Sample */
/** @typedef {{ readonly done: number, readonly total: number }} Amount */

/** By number of the job, the oldest first. @type {Map<number, Sample[]>} */
const seen = new Map();

/**
 * Bytes per second of the job `id`, of which `done` bytes are done now; undefined while nobody can tell.
 * @param {number} id
 * @param {number} done
 * @param {number} at ms of any clock
 */
export function paceOf(id, done, at) {
  const samples = seen.get(id) ?? [];
  seen.set(id, samples);
  const last = samples.at(-1);
  if (last === undefined || at > last.at) samples.push({ at, done });
  while (samples.length > 2 && at - (samples[1]?.at ?? at) >= SPAN_MS) samples.shift();
  const first = samples[0];
  if (first === undefined || at - first.at < 500 || done < first.done) return undefined;
  return ((done - first.done) / (at - first.at)) * 1000;
}

/** Jobs that do not run any more are forgotten. @param {ReadonlySet<number>} running */
export function forgetPaces(running) {
  for (const id of seen.keys()) if (!running.has(id)) seen.delete(id);
}

/**
 * "3.2 MB/s, 12 s left". Where more things follow whose size nobody knows yet, it is "more than" that.
 * @param {number | undefined} bytesPerSecond
 * @param {Amount} bytes
 * @param {Amount} things
 */
export function paceInWords(bytesPerSecond, bytes, things) {
  if (bytesPerSecond === undefined) return "";
  if (bytesPerSecond === 0) return "nothing comes at the moment";
  const left = bytes.total - bytes.done;
  if (left <= 0) return rate(bytesPerSecond);
  const isMore = things.total - things.done > 1;
  return `${rate(bytesPerSecond)}, ${isMore ? "more than " : ""}${duration((left / bytesPerSecond) * 1000)} left`;
}
