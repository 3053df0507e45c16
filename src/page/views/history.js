/** Owns the view of the past: served, fetched and saved by hour, day or month, and the repositories and clients that pull most. */
import { html } from "htm/preact";
import { get } from "../api.js";
import { ago, counted, duration, nameOf, size } from "../format.js";
import { status } from "../live.js";
import { useAsked, Waiting } from "../parts/asked.js";
import { TrafficChart } from "../parts/chart.js";
import { ask, route } from "../route.js";

const SPANS = /** @type {const} */ ([
  ["hour", "the last two days, by hour", 2, 48],
  ["day", "the last month, by day", 31, 31],
  ["month", "the last two years, by month", 731, 24],
]);
const AGAIN_MS = 30_000;

export function History() {
  const { by = "day" } = route.value.query;
  const [unit, label, days, most] = SPANS.find(([name]) => name === by) ?? SPANS[1];
  const traffic = useAsked(
    (signal) => get("/api/v1/traffic", { by: unit, days, limit: 1_000 }, signal),
    [unit],
    AGAIN_MS,
  );
  return html`<h1 class="hidden">History</h1>
    <section class="card">
      <header><h2>Traffic</h2><div class="bar" role="group" aria-label="Span">${SPANS.map(([name, text]) => html`<button key=${name} class="plain" aria-pressed=${name === unit} onClick=${() => ask({ by: name })}>${text.split(", ")[0]}</button>`)}</div></header>
      <${Waiting} asked=${traffic} />
      ${traffic.data !== undefined && html`<${TrafficChart} points=${pointsOf(traffic.data.items, unit, most)} unit=${unit} label=${label} />`}
    </section>
    <div class="columns"><${Most} title="Images and models" by="repository" days=${days} /><${Most} title="Clients" by="client" days=${days} /></div>
    <${LastPulls} />`;
}

/**
 * The server names periods as texts of its own time: "2026-11-28", "2026-11-28 14", "2026-11".
 * @param {readonly any[]} items
 * @param {string} unit
 * @param {number} most
 */
function pointsOf(items, unit, most) {
  const known = new Map(items.map((item) => [timeOf(item.name), item]));
  const newest = new Date();
  return Array.from({ length: most }, (_, index) => {
    const back = most - 1 - index;
    const at =
      unit === "hour"
        ? new Date(newest.getFullYear(), newest.getMonth(), newest.getDate(), newest.getHours() - back)
        : unit === "day"
          ? new Date(newest.getFullYear(), newest.getMonth(), newest.getDate() - back)
          : new Date(newest.getFullYear(), newest.getMonth() - back);
    const { served = 0, fetched = 0 } = known.get(at.getTime()) ?? {};
    return { at: at.getTime(), served, fetched };
  });
}

/** @param {string} name */
function timeOf(name) {
  const [year = 1970, month = 1, day = 1, hour = 0] = (name.match(/\d+/g) ?? []).map(Number);
  return new Date(year, month - 1, day, hour).getTime();
}

/** @param {{ readonly title: string, readonly by: "repository" | "client", readonly days: number }} props */
function Most({ title, by, days }) {
  const asked = useAsked(
    (signal) => get("/api/v1/traffic", { by, days, limit: 15 }, signal),
    [by, days],
    AGAIN_MS,
  );
  const items = asked.data?.items ?? [];
  const largest = Math.max(1, ...items.map((/** @type {any} */ { served }) => served));
  return html`<section class="card"><header><h2>${title}</h2><span class="quiet">most to clients</span></header>
    <${Waiting} asked=${asked} />
    ${asked.data !== undefined && items.length === 0 && html`<p class="empty">Nothing was pulled in this time.</p>`}
    <ul class="rows">${items.map(
      (
        /** @type {any} */ item,
      ) => html`<li key=${item.name}><span class="cut">${plainName(item.name)}</span><span class="right">${size(item.served)}</span>
      <div class="meter wide-row"><i style=${{ width: `${(item.served / largest) * 100}%` }}></i></div>
      <span class="small quiet">${counted(item.pulls, "pull")}</span><span class="small quiet right">${by === "repository" && item.saved > 0 && `${size(item.saved)} saved`}</span></li>`,
    )}</ul>
  </section>`;
}

/** @param {string} name */
function plainName(name) {
  const [upstream = "", ...rest] = name.split("/");
  return rest.length === 0 ? name : nameOf({ upstream, repository: rest.join("/") });
}

function LastPulls() {
  const asked = useAsked((signal) => get("/api/v1/pulls", { limit: 50 }, signal), [], AGAIN_MS);
  const now = status.value?.now ?? Date.now();
  return html`<section class="card"><header><h2>Last pulls</h2></header><${Waiting} asked=${asked} />
    ${
      asked.data !== undefined &&
      asked.data.items.length > 0 &&
      html`<div class="scroll"><table>
      <thead><tr><th>Name</th><th>Client</th><th class="number-cell">To it</th><th class="wide">Took</th><th>When</th></tr></thead>
      <tbody>${asked.data.items.map(
        (
          /** @type {any} */ pull,
        ) => html`<tr key=${pull.id}><td class="name">${nameOf(pull)} ${pull.platform !== undefined && html`<span class="tag">${pull.platform}</span>`} ${pull.state === "failed" && html`<span class="bad">${pull.reason ?? "failed"}</span>`}</td>
        <td>${pull.client ?? ""} <span class="quiet small">${pull.agent}</span></td><td class="number-cell">${size(pull.served)}</td><td class="wide quiet">${duration(pull.tookMs)}</td><td class="quiet">${pull.state === "running" ? "now" : ago(pull.begunAt, now)}</td></tr>`,
      )}</tbody></table></div>`
    }
  </section>`;
}
