/** Owns what comes by the stream of events: the newest snapshot, the last events, and whether the server is there. It asks nothing else. */
import { signal } from "@preact/signals";

/** @typedef {import("../http/admin/routes/status-routes.ts").Status} Status */
/** @typedef {{ readonly id: number, readonly at: number, readonly kind: string, readonly text: string, readonly facts: Readonly<Record<string, string | number | boolean>> }} ToldEvent */

/** The newest snapshot; undefined until the first has come. */
export const status = signal(/** @type {Status | undefined} */ (undefined));

/** Kept as it was shown while the server is away. */
export const connection = signal(/** @type {"connecting" | "live" | "lost"} */ ("connecting"));

/** The newest first. */
export const events = signal(/** @type {readonly ToldEvent[]} */ ([]));

/** Bytes per second of the last moments, in all. */
export const flow = signal({ served: 0, fetched: 0 });

const MOST_EVENTS = 200;
/** Rates are averages over so many snapshots: one a second jumps. */
const SPAN = 5;

/** @type {{ readonly at: number, readonly served: number, readonly fetched: number }[]} */
const samples = [];

/** @param {Status} next */
function take(next) {
  const { served, fetched } = next.traffic.all;
  samples.push({ at: next.now, served, fetched });
  if (samples.length > SPAN) samples.shift();
  const first = samples[0];
  const seconds = first === undefined ? 0 : (next.now - first.at) / 1000;
  if (first !== undefined && seconds > 0)
    flow.value = {
      served: Math.max(0, served - first.served) / seconds,
      fetched: Math.max(0, fetched - first.fetched) / seconds,
    };
  status.value = next;
  connection.value = "live";
}

/** Begins to listen. The browser comes again by itself when the connection is lost, and says which event it saw last. */
export function listen() {
  const source = new EventSource("/api/v1/events");
  source.addEventListener("snapshot", ({ data }) => take(JSON.parse(data)));
  source.addEventListener("event", ({ data }) => {
    events.value = [JSON.parse(data), ...events.value].slice(0, MOST_EVENTS);
  });
  source.addEventListener("open", () => {
    connection.value = "live";
  });
  source.addEventListener("error", () => {
    connection.value = "lost";
    samples.length = 0;
    if (source.readyState !== EventSource.CLOSED) return;
    // The server refused: the browser does not try that again.
    setTimeout(listen, 5_000);
  });
}
