/**
 * Owns the view of the past: what was served, fetched and saved by hour, day or month, the repositories and clients that pull most, and the pulls. On a
 * node of a fleet it is the past of all nodes, or of one; only the pulls are its own.
 */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { get } from "../api.js";
import { MissingNodes, nodeNames, WhoseChoice, whose } from "../fleet/whose.js";
import { counted, nameOf, percent, size } from "../format.js";
import { useAsked, Waiting } from "../parts/asked.js";
import { PeriodBars } from "../parts/period-bars.js";
import { PullList } from "../parts/pull-list.js";
import { sumOf } from "../periods.js";
import { ask, linkTo, route } from "../route.js";

/** @typedef {import("../periods.js").Sums & { readonly name: string, readonly nodes?: readonly string[] }} Item */
/** @typedef {"repository" | "client" | "node"} Group */

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
  const { me, node, query } = whose();
  const keepsClients = useKeepsClients();
  const traffic = useAsked(
    async (signal) => {
      const asked = { by: unit, days, empty: true, limit: 1_000, ...query };
      return { ...(await get("/api/v1/traffic", asked, signal)), of: node };
    },
    [unit, node],
    AGAIN_MS,
  );
  // An answer to the question before this one has periods of another length, or is of other nodes.
  const answer = traffic.data?.by === unit && traffic.data.of === node ? traffic.data : undefined;
  const periods = /** @type {readonly Item[] | undefined} */ (answer?.items);
  return html`<section class="card stack history">
      <header><div><h1 class="title">History</h1><p class="quiet">${sentence(span)}, by the clock of ${me === undefined ? "Granary’s machine" : "each node’s machine"}</p></div>
        <div class="bar"><${WhoseChoice} heard=${answer?.fleet} label="Of which node" />
        <div class="toggle" role="group" aria-label="Periods">${SPANS.map(([name, title]) => html`<button key=${name} type="button" class="plain" aria-pressed=${name === unit} onClick=${() => ask({ by: name })}>${title}</button>`)}</div></div></header>
      <${Waiting} asked=${traffic} /><${MissingNodes} heard=${answer?.fleet} />
      ${periods !== undefined && html`<${Headline} periods=${periods} /><${PeriodBars} key=${unit} periods=${periods.toReversed()} unit=${unit} label=${`Bytes to clients and from the internet ${SPANS.find(([name]) => name === unit)?.[1].toLowerCase()}, ${span}`} />`}
    </section>
    <div class="columns">
      ${me !== undefined && node === undefined && html`<${Most} key=${`nodes ${days}`} title="Nodes" by="node" days=${days} span=${span} />`}
      <${Most} key=${`repositories ${days} ${node}`} title="Images and models" by="repository" days=${days} span=${span} />
      ${
        keepsClients
          ? html`<${Most} key=${`clients ${days} ${node}`} title="Clients" by="client" days=${days} span=${span} />`
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

/** @param {{ readonly title: string, readonly by: Group, readonly days: number, readonly span: string }} props */
function Most({ title, by, days, span }) {
  const [limit, setLimit] = useState(PAGE);
  const asked = useAsked(
    (signal) => get("/api/v1/traffic", { by, days, limit, ...whose().query }, signal),
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

/** @param {{ readonly item: Item, readonly by: Group, readonly largest: number }} props */
function Line({ item: { name, nodes = [], served, saved, pulls }, by, largest }) {
  const where = nodes.length > 0 && whose().node === undefined ? ` · ${nodeNames(nodes)}` : "";
  return html`<li><span class="name">${linkOf(name, by)}</span>
    <span class="right" data-bytes=${served}>${size(served)}</span>
    <div class="meter wide-row"><i style=${{ width: `${(served / largest) * 100}%` }}></i></div>
    <span class="small quiet">${counted(pulls, "pull")}${where}</span><span class="small quiet right">${by !== "client" && saved > 0 && `${size(saved)} saved`}</span></li>`;
}

/** @param {string} name @param {Group} by */
function linkOf(name, by) {
  if (by === "repository") return repositoryLink(name);
  const query = by === "node" ? { node: name } : { search: name };
  return html`<a href=${linkTo("history", { ...route.value.query, ...query })}>${name}</a>`;
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
