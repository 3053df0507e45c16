/** Owns how much of the line may be used: what holds now and what flows, limits for a while, and the hours of the settings. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { get } from "../../api.js";
import {
  LIMIT_TIMES,
  limitBandwidth,
  RATE_UNITS,
  rateOf,
  takeLimitBack,
  untilOf,
} from "../../changes/line.js";
import { rate } from "../../format.js";
import { status } from "../../live.js";
import { Waiting } from "../../parts/asked.js";
import { Command } from "../../parts/command.js";
import { timeOfDay } from "../../times.js";
import { Field, submitted, typed } from "./field.js";
import { askAgain, useFresh } from "./fresh.js";
import { bandwidthLines } from "./settings-lines.js";

/** What flows is shown while somebody looks. */
const AGAIN_MS = 3_000;

export function BandwidthCard() {
  const asked = useFresh((signal) => get("/api/v1/bandwidth", {}, signal), ["settings-reloaded"], AGAIN_MS);
  const settings = useFresh((signal) => get("/api/v1/settings", {}, signal), ["settings-reloaded"]);
  const { total, upstreams = {}, temporary = [], flows = {} } = asked.data ?? {};
  const names = [...new Set([...Object.keys(upstreams), ...Object.keys(flows)])].sort();
  const flow = Object.values(flows).reduce((sum, each) => sum + each, 0);
  return html`<section class="card"><header><h2>Bandwidth</h2><span class="quiet">${asked.data !== undefined && `${rate(flow)} from the internet now`}</span></header><${Waiting} asked=${asked} />
    ${
      asked.data !== undefined &&
      html`<ul class="rows lined" aria-label="Limits that hold now"><li><span><strong>All upstreams together</strong></span><span class="right">${total === undefined ? html`<span class="quiet">no limit</span>` : `at most ${rate(total)}`}</span></li>
      ${names.map((name) => html`<li key=${name}><span class="name">${name} <span class="small quiet">${rate(flows[name] ?? 0)} now</span></span><span class="right">${upstreams[name] === undefined ? html`<span class="quiet">no limit</span>` : `at most ${rate(upstreams[name])}`}</span></li>`)}</ul>
      <${ByPerson} limits=${temporary} /><${LimitForm} before=${temporary} /><${Hours} hours=${settings.data?.settings?.bandwidth?.hours ?? []} />`
    }
  </section>`;
}

/** @param {{ readonly limits: readonly import("../../changes/line.js").Limit[] }} props */
function ByPerson({ limits }) {
  if (limits.length === 0) return null;
  return html`<h3 class="small quiet more">Set by a person; it goes before the settings</h3><ul class="rows lined" aria-label="Limits that a person set">${limits.map(
    (
      limit,
    ) => html`<li key=${limit.upstream}><span class="name"><strong>${limit.upstream ?? "All upstreams together"}</strong>: ${rateOf(limit)}</span>
      <span class="right">${limit.upstream !== undefined && html`<button class="plain fine" type="button" data-change onClick=${() => takeLimitBack(limit.upstream, limits, askAgain)}>Take back<span class="hidden"> the limit of ${limit.upstream}</span></button>`}</span><span class="small quiet wide-row">${untilOf(limit)}</span></li>`,
  )}</ul><button type="button" data-change class="more" onClick=${() => takeLimitBack(undefined, limits, askAgain)}>Take all limits back</button>`;
}

/** @type {Readonly<Record<keyof typeof LIMIT_TIMES, string>>} */
const TIME_WORDS = {
  "30m": "30 minutes",
  "1h": "1 hour",
  "2h": "2 hours",
  "8h": "8 hours",
  "1d": "1 day",
  "": "until taken back",
};

/** @param {{ readonly before: readonly import("../../changes/line.js").Limit[] }} props */
function LimitForm({ before }) {
  const names = (status.value?.upstreams ?? []).map(({ name }) => name);
  const [amount, setAmount] = useState("5");
  const [unit, setUnit] = useState(/** @type {string} */ ("MB/s"));
  const [upstream, setUpstream] = useState("");
  const [time, setTime] = useState(/** @type {string} */ ("2h"));
  const limit = () =>
    limitBandwidth(
      {
        amount,
        unit: /** @type {keyof typeof RATE_UNITS} */ (unit),
        upstream,
        time: /** @type {keyof typeof LIMIT_TIMES} */ (time),
      },
      before,
      askAgain,
    );
  return html`<form class="bar end more" data-change onSubmit=${submitted(limit)}>
    <${Field} label="At most"><input class="amount" type="number" required min="0.001" max="1000000" step="any" value=${amount} onInput=${typed(setAmount)} /></${Field}>
    <${Field} label="Unit"><select value=${unit} onChange=${typed(setUnit)}>${Object.keys(RATE_UNITS).map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></${Field}>
    <${Field} label="From"><select value=${upstream} onChange=${typed(setUpstream)}><option value="">all together</option>${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></${Field}>
    <${Field} label="For"><select value=${time} onChange=${typed(setTime)}>${Object.entries(TIME_WORDS).map(([value, word]) => html`<option key=${value} value=${value}>${word}</option>`)}</select></${Field}>
    <button>Limit</button></form>`;
}

/** @param {{ readonly hours: readonly any[] }} props */
function Hours({ hours }) {
  const [from, setFrom] = useState("08:00");
  const [to, setTo] = useState("18:00");
  return html`<div class="more">${
    hours.length > 0 &&
    html`<h3 class="small quiet">At some hours of the day, by the settings (time of the server)</h3><ul class="rows lined" aria-label="Hours">${hours.map(
      (each) =>
        html`<li key=${each.from}><span>${timeOfDay(each.from)} to ${timeOfDay(each.to)}</span><span class="small quiet wide-row">${limitsIn(each)}</span></li>`,
    )}</ul>`
  }
    <details><summary>Limits at some hours of each day</summary><div class="stack tight more">
      <p class="quiet small">They stand in the settings: add these lines there, then read the settings again.</p>
      <div class="bar"><${Field} label="From"><input type="time" value=${from} onInput=${typed(setFrom)} /></${Field}><${Field} label="To"><input type="time" value=${to} onInput=${typed(setTo)} /></${Field}></div>
      <${Command} text=${bandwidthLines({ from, to, total: "5MB/s" })} label="Copy the lines" /></div></details></div>`;
}

/** Infinity is null in JSON. @param {{ readonly total?: number | null, readonly upstreams?: Readonly<Record<string, number | null>> }} limits */
function limitsIn({ total, upstreams = {} }) {
  const word = (/** @type {number | null} */ limit) => (limit === null ? "no limit" : rate(limit));
  return [
    ...(total === undefined ? [] : [`all together ${word(total)}`]),
    ...Object.entries(upstreams).map(([name, limit]) => `${name} ${word(limit)}`),
  ].join(", ");
}
