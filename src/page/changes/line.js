/** Owns the changes of the line to upstreams: offline and back, and limits of bandwidth for a while. Each can be taken back. */
import { html } from "htm/preact";
import { post } from "../api.js";
import { duration, rate } from "../format.js";
import { confirmChange } from "../parts/confirm.js";
import { commandLine } from "../shell.js";
import { dueInWords } from "../times.js";

/** @param {boolean} offline @param {string | undefined} upstream @param {() => void} after */
export function setOffline(offline, upstream, after) {
  const where = upstream ?? "all upstreams";
  /** @param {boolean} value @param {string | undefined} name @param {boolean} dryRun */
  const ask = (value, name, dryRun) =>
    post("/api/v1/offline", { offline: value, ...(name !== undefined && { upstream: name }) }, { dryRun });
  confirmChange({
    title: offline ? `Set ${where} offline` : `Use ${where} again`,
    command: commandLine("granary", "offline", offline ? "on" : "off", upstream),
    verb: offline ? "Set offline" : "Use again",
    trial: () => ask(offline, upstream, true),
    describe: (trial) => html`<p>${
      offline
        ? "Nothing is asked until you set it back, also after a restart. What is stored is served, whatever its age. What is not stored gets one clear error at once, and what is being fetched waits."
        : "It is asked again as before, and transfers that waited go on."
    }</p>
      <p class="quiet">${trial.changed.length === 0 ? "Nothing changes by that: it is so already." : `Changed by that: ${trial.changed.join(", ")}`}</p>`,
    isEmpty: ({ changed }) => changed.length === 0,
    act: () => ask(offline, upstream, false),
    done: () => (offline ? `Offline: ${where}.` : `In use again: ${where}.`),
    // Those that were so before stay so.
    undoOf: ({ changed }) => ({
      label: "Undo",
      act: async () => {
        for (const name of changed) await ask(!offline, name, false);
        after();
      },
    }),
    after,
  });
}

/** Rates as commands write them, in bytes per second. */
export const RATE_UNITS = /** @type {const} */ ({ "MB/s": 1e6, "kB/s": 1e3, "Mbit/s": 125_000 });

/** How long a limit holds, as commands write it, in ms. "" is until it is taken back. */
export const LIMIT_TIMES = /** @type {const} */ ({
  "": undefined,
  "30m": 1_800_000,
  "1h": 3_600_000,
  "2h": 7_200_000,
  "8h": 28_800_000,
  "1d": 86_400_000,
});

/**
 * @typedef {{ readonly upstream?: string, readonly bytesPerSecond?: number, readonly until?: number }} Limit
 * @typedef {{ readonly amount: string, readonly unit: keyof typeof RATE_UNITS, readonly upstream: string, readonly time: keyof typeof LIMIT_TIMES }} WantedLimit
 */

/** @param {WantedLimit} wanted @param {readonly Limit[]} before @param {() => void} after */
export function limitBandwidth({ amount, unit, upstream, time }, before, after) {
  const limit = Math.floor(Number(amount) * RATE_UNITS[unit]);
  const forMs = LIMIT_TIMES[time];
  const where = upstream === "" ? "all upstreams together" : upstream;
  const ask = { limit, ...(upstream !== "" && { upstream }), ...(forMs !== undefined && { forMs }) };
  confirmChange({
    title: `Limit ${where} to ${amount} ${unit}`,
    command: commandLine(
      "granary",
      "bandwidth",
      `${amount}${unit}`,
      upstream,
      time === "" ? "" : "--for",
      time,
    ),
    verb: "Limit",
    trial: () => post("/api/v1/bandwidth", ask, { dryRun: true }),
    describe: ({ set }) => html`<${Limits} limits=${set} />
      <p class="quiet">This goes before what the settings say. Clients that wait go first, and no transfer breaks off.</p>`,
    act: () => post("/api/v1/bandwidth", ask),
    done: () => `Limited: ${where}, ${amount} ${unit}.`,
    undo: () => restore(before).then(after),
    after,
  });
}

/** @param {string | undefined} upstream @param {readonly Limit[]} before @param {() => void} after */
export function takeLimitBack(upstream, before, after) {
  const ask = { limit: "off", ...(upstream !== undefined && { upstream }) };
  const where = upstream ?? "all of them";
  confirmChange({
    title: upstream === undefined ? "Take all limits back" : `Take the limit of ${upstream} back`,
    command: commandLine("granary", "bandwidth", "off", upstream),
    verb: "Take back",
    trial: () => post("/api/v1/bandwidth", ask, { dryRun: true }),
    isEmpty: ({ takenBack }) => takenBack.length === 0,
    describe: ({ takenBack }) =>
      html`<p>Then what the settings say holds again. Taken back by that:</p><${Limits} limits=${takenBack} />`,
    act: () => post("/api/v1/bandwidth", ask),
    done: () => `Taken back: ${where}.`,
    undo: () => restore(before).then(after),
    after,
  });
}

/** @param {{ readonly limits: readonly Limit[] }} props */
function Limits({ limits }) {
  if (limits.length === 0) return html`<p>Nothing: no limit was set by a person.</p>`;
  return html`<ul class="rows">${limits.map(
    (limit) =>
      html`<li key=${limit.upstream}><span>${limit.upstream ?? "All upstreams together"}: <strong>${rateOf(limit)}</strong></span><span class="small quiet wide-row">${untilOf(limit)}</span></li>`,
  )}</ul>`;
}

/** @param {Limit} limit */
export function rateOf({ bytesPerSecond }) {
  return bytesPerSecond === undefined ? "no limit" : `at most ${rate(bytesPerSecond)}`;
}

/** @param {Limit} limit */
export function untilOf({ until }) {
  if (until === undefined) return "until it is taken back";
  const now = Date.now();
  return `ends ${dueInWords(until, now)}, ${duration(until - now)} more`;
}

/** What was set by command before, as it was. @param {readonly Limit[]} before */
async function restore(before) {
  await post("/api/v1/bandwidth", { limit: "off" });
  for (const { upstream, bytesPerSecond, until } of before) {
    const forMs = until === undefined ? undefined : Math.max(1_000, until - Date.now());
    await post("/api/v1/bandwidth", {
      limit: bytesPerSecond ?? "unlimited",
      ...(upstream !== undefined && { upstream }),
      ...(forMs !== undefined && { forMs }),
    });
  }
}
