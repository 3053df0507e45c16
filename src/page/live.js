/**
 * Owns what the page knows of this moment: the newest snapshot, the last events, and whether the server is there. Both come by the stream of
 * events; where that cannot be, they are asked for now and then. It goes on for ever: whatever ends a connection, it tries again by itself.
 */
import { batch, signal } from "@preact/signals";
import { get } from "./api.js";
import { follow } from "./stream.js";
import { takePlace } from "./stream-places.js";

/** @typedef {import("../http/admin/routes/status-routes.ts").Status} Status */
/** @typedef {{ readonly id: number, readonly at: number, readonly kind: string, readonly text: string, readonly facts: Readonly<Record<string, string | number | boolean>> }} ToldEvent */

/** The newest snapshot; undefined until the first has come. Kept as it was while the server is away. */
export const status = signal(/** @type {Status | undefined} */ (undefined));

/** `asking`: the server is there, but without a stream; the snapshot is some seconds old at most. */
export const connection = signal(/** @type {"connecting" | "live" | "asking" | "lost"} */ ("connecting"));

/** Why there is no answer, and when the next try comes (epoch ms of this browser); undefined while it is being tried. */
export const lost = signal(
  /** @type {{ readonly reason: string, readonly retryAt: number | undefined }} */ ({
    reason: "",
    retryAt: undefined,
  }),
);

/** Why the server gives this page no stream, in words; "" where that is not so. */
export const refusal = signal("");

/** The newest first. */
export const events = signal(/** @type {readonly ToldEvent[]} */ ([]));

/** Bytes per second of the last moments, in all. */
export const flow = signal({ served: 0, fetched: 0 });

const MOST_EVENTS = 200;
/** Rates are averages over so many snapshots: one a second jumps. */
const SPAN = 5;
/** Snapshots that are further apart say nothing of this moment. */
const GAP_MS = 10_000;

/** Between two questions, where there is no stream. */
const ASK_MS = 2_000;
/** The same, of a page that nobody looks at: only its title tells something. */
const HIDDEN_MS = 60_000;
/** A page that is hidden keeps its stream for so long: people come back. */
const GRACE_MS = 5_000;
/** A stream that was refused, or over which nothing came, is tried again after so long. */
const STREAMLESS_MS = 30_000;
/** After a stream has ended, before the next question: nothing that goes wrong goes wrong many times a second. */
const AGAIN_MS = 300;
const TIMEOUT_MS = 10_000;
/** Between tries while the server is away; the last one for ever. */
const BACK_OFF_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

/** @type {{ readonly at: number, readonly served: number, readonly fetched: number }[]} */
let samples = [];
/** @type {number | undefined} */
let lastEvent;
let streamlessUntil = 0;
let wake = () => {};

/** @param {Status} next */
function take(next) {
  const { served, fetched } = next.traffic.all;
  const newest = samples.at(-1);
  if (newest !== undefined && (next.now < newest.at || next.now - newest.at > GAP_MS)) samples = [];
  samples = [...samples, { at: next.now, served, fetched }].slice(-SPAN);
  const [first] = samples;
  const seconds = first === undefined ? 0 : (next.now - first.at) / 1000;
  if (first !== undefined && seconds > 0)
    flow.value = {
      served: Math.max(0, served - first.served) / seconds,
      fetched: Math.max(0, fetched - first.fetched) / seconds,
    };
  status.value = next;
}

/** @param {ToldEvent} event */
function tell(event) {
  lastEvent = event.id;
  events.value = [event, ...events.value].slice(0, MOST_EVENTS);
}

/** All or nothing is seen of it; what a part of the page makes of it is its own affair, and ends no connection. @param {() => void} change */
function together(change) {
  try {
    batch(change);
  } catch (error) {
    console.error(error);
  }
}

/** Asks once; throws when the server does not answer. */
async function askNow() {
  const next = await get("/api/v1/status", {}, AbortSignal.timeout(TIMEOUT_MS));
  const query = lastEvent === undefined ? { limit: 1 } : { since: lastEvent, limit: MOST_EVENTS };
  const past = await get("/api/v1/events/past", query, AbortSignal.timeout(TIMEOUT_MS)).catch(
    () => undefined,
  );
  together(() => {
    take(next);
    if (lastEvent !== undefined) for (const event of past?.items ?? []) tell(event);
    else if (past !== undefined) lastEvent = past.items[0]?.id ?? 0;
    if (connection.value !== "live") connection.value = "asking";
  });
}

/** The stream, until it ends, breaks, or nobody looks at this page. */
async function stream() {
  const place = takePlace();
  if (place === undefined) return await pauseAsking();
  const end = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let grace;
  const look = () => {
    clearTimeout(grace);
    if (document.hidden) grace = setTimeout(() => end.abort(), GRACE_MS);
  };
  document.addEventListener("visibilitychange", look);
  look();
  let isHeard = false;
  try {
    await follow(
      lastEvent,
      (name, data) => {
        isHeard = true;
        place.keep();
        together(() => {
          if (name === "snapshot") take(data);
          else tell(data);
          connection.value = "live";
          refusal.value = "";
        });
      },
      end.signal,
    );
  } catch (error) {
    // One that lived and broke is nothing: whether the server is there, the next question says.
    if (isHeard) return;
    streamlessUntil = Date.now() + STREAMLESS_MS;
    refusal.value =
      error instanceof Error && "code" in error && error.code === "rate-limited" ? error.message : "";
  } finally {
    clearTimeout(grace);
    document.removeEventListener("visibilitychange", look);
    place.leave();
  }
}

/** @param {number} [ms] */
async function pauseAsking(ms = ASK_MS) {
  if (connection.value === "live") connection.value = "asking";
  await pause(ms);
}

/** Until the time is over, somebody looks at the page again, or the network is back. @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    wake = () => {
      clearTimeout(timer);
      resolve(undefined);
    };
  });
}

/** Tries at once. */
export function tryNow() {
  wake();
}

/** Begins to listen, and never ends. */
export async function listen() {
  const look = () => document.hidden || wake();
  document.addEventListener("visibilitychange", look);
  addEventListener("online", look);
  addEventListener("pageshow", look);
  for (let failures = 0; ; ) {
    try {
      await askNow();
      failures = 0;
      if (document.hidden) await pauseAsking(HIDDEN_MS);
      else if (Date.now() < streamlessUntil) await pauseAsking();
      else await stream().then(() => pause(AGAIN_MS));
    } catch (error) {
      const waitMs = document.hidden
        ? HIDDEN_MS
        : (BACK_OFF_MS[Math.min(failures, BACK_OFF_MS.length - 1)] ?? 0);
      failures += 1;
      const reason = error instanceof Error ? error.message : String(error);
      samples = [];
      together(() => {
        flow.value = { served: 0, fetched: 0 };
        lost.value = { reason, retryAt: Date.now() + waitMs };
        connection.value = "lost";
      });
      await pause(waitMs);
      lost.value = { reason, retryAt: undefined };
    }
  }
}
