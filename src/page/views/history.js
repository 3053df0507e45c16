/** Owns the view of the past: what was served, fetched and saved by hour, day or month, the repositories and clients that pull most, and the pulls. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { get } from "../api.js";
import { counted, nameOf, percent, size } from "../format.js";
import { useAsked, Waiting } from "../parts/asked.js";
import { PeriodBars } from "../parts/period-bars.js";
import { PullList } from "../parts/pull-list.js";
import { sumOf } from "../periods.js";
import { ask, linkTo, route } from "../route.js";

/** @typedef {import("../periods.js").Sums & { readonly name: string }} Item */

const SPANS = /** @type {const} */ ([
  ["hour", "By hour", "today and yesterday", 2],
  ["day", "By day", "the last 31 days", 31],
  ["month", "By month", "the last two years", 731],
]);
const AGAIN_MS = 15_000;
const PAGE = 10;

/** Whether the settings keep the addresses of clients. True as long as that is not known. */
function useKeepsClients() {
  const settings = useAsked((signal) => get("/api/v1/settings", {}, signal), []);
  return settings.data?.settings?.traffic?.clientsMs !== 0;
}

export function History() {
  const { by = "day" } = route.value.query;
  const [unit, , span, days] = SPANS.find(([name]) => name === by) ?? SPANS[1];
  const keepsClients = useKeepsClients();
  const traffic = useAsked(
    (signal) => get("/api/v1/traffic", { by: unit, days, empty: true, limit: 1_000 }, signal),
    [unit],
    AGAIN_MS,
  );
  // An answer to the question before this one has periods of another length.
  const periods = traffic.data?.by === unit ? /** @type {readonly Item[]} */ (traffic.data.items) : undefined;
  return html`<section class="card stack history">
      <header><div><h1 class="title">History</h1><p class="quiet">${sentence(span)}, by the clock of Granary’s machine</p></div>
        <div class="toggle" role="group" aria-label="Periods">${SPANS.map(([name, title]) => html`<button key=${name} type="button" class="plain" aria-pressed=${name === unit} onClick=${() => ask({ by: name })}>${title}</button>`)}</div></header>
      <${Waiting} asked=${traffic} />
      ${periods !== undefined && html`<${Headline} periods=${periods} /><${PeriodBars} key=${unit} periods=${periods.toReversed()} unit=${unit} label=${`Bytes to clients and from the internet ${SPANS.find(([name]) => name === unit)?.[1].toLowerCase()}, ${span}`} />`}
    </section>
    <div class="columns">
      <${Most} key=${`repositories ${days}`} title="Images and models" by="repository" days=${days} span=${span} />
      ${
        keepsClients
          ? html`<${Most} key=${`clients ${days}`} title="Clients" by="client" days=${days} span=${span} />`
          : html`<section class="card"><header><h2>Clients</h2></header><${NotKept} /></section>`
      }
    </div>
    <${PullList} keepsClients=${keepsClients} />`;
}

function NotKept() {
  return html`<p class="empty">The addresses of clients are not kept: the settings say <code>traffic.clients: off</code>. What was pulled, and when, is kept all the same.</p>`;
}

/** @param {{ readonly periods: readonly Item[] }} props */
function Headline({ periods }) {
  const { served, fetched, saved, pulls } = sumOf(periods);
  return html`<dl class="headline">
    <div class="of-saved"><dt>Saved</dt><dd data-bytes=${saved}>${size(saved)}${saved > 0 && html` <small>${percent(saved, served)}</small>`}</dd></div>
    <div><dt>To clients</dt><dd data-bytes=${served}>${size(served)}</dd></div>
    <div><dt>From the internet</dt><dd data-bytes=${fetched}>${size(fetched)}</dd></div>
    <div><dt>Pulls</dt><dd>${pulls.toLocaleString("en")}</dd></div></dl>
    ${saved < 0 && html`<p class="quiet">More was fetched than served until now, as by warm-ups that nobody used yet.</p>`}`;
}

/** @param {{ readonly title: string, readonly by: "repository" | "client", readonly days: number, readonly span: string }} props */
function Most({ title, by, days, span }) {
  const [limit, setLimit] = useState(PAGE);
  const asked = useAsked(
    (signal) => get("/api/v1/traffic", { by, days, limit }, signal),
    [by, days, limit],
    AGAIN_MS,
  );
  const items = /** @type {readonly Item[]} */ (asked.data?.items ?? []);
  const largest = Math.max(1, ...items.map(({ served }) => served));
  return html`<section class="card most"><header><h2>${title}</h2><span class="quiet">most to clients, ${span}</span></header>
    <${Waiting} asked=${asked} />
    ${asked.data !== undefined && items.length === 0 && html`<p class="empty">Nothing was pulled in this time.</p>`}
    <ul class="rows">${items.map((item) => html`<${Line} key=${item.name} item=${item} by=${by} largest=${largest} />`)}</ul>
    ${asked.data?.next !== undefined && limit < 1_000 && html`<button class="more" type="button" onClick=${() => setLimit(Math.min(1_000, limit + 4 * PAGE))}>Show more</button>`}
  </section>`;
}

/** @param {{ readonly item: Item, readonly by: "repository" | "client", readonly largest: number }} props */
function Line({ item: { name, served, saved, pulls }, by, largest }) {
  return html`<li><span class="name">${by === "client" ? html`<a href=${linkTo("history", { ...route.value.query, search: name })}>${name}</a>` : repositoryLink(name)}</span>
    <span class="right" data-bytes=${served}>${size(served)}</span>
    <div class="meter wide-row"><i style=${{ width: `${(served / largest) * 100}%` }}></i></div>
    <span class="small quiet">${counted(pulls, "pull")}</span><span class="small quiet right">${by === "repository" && saved > 0 && `${size(saved)} saved`}</span></li>`;
}

/** Names beyond a number, and those that do not exist, are counted together. @param {string} name */
function repositoryLink(name) {
  const [upstream = "", ...rest] = name.split("/");
  const repository = rest.join("/");
  if (repository === "" || repository.startsWith("(")) return `Others of ${upstream}`;
  return html`<a href=${linkTo("contents", { search: name })}>${nameOf({ upstream, repository })}</a>`;
}

/** @param {string} text */
function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
