/** Owns the list of pulls: who pulled what and when, how it went, searched and paged by the server. */
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { get } from "../api.js";
import { whose } from "../fleet/whose.js";
import { duration, moment, nameOf, size } from "../format.js";
import { status } from "../live.js";
import { ask, linkTo, route } from "../route.js";
import { useAsked, Waiting } from "./asked.js";
import { Icon } from "./icon.js";

/** @typedef {import("zod").infer<typeof import("../../http/admin/routes/pull-routes.ts").pullsSchema>["items"][number]} Pull */

const PAGE = 25;
const AGAIN_MS = 10_000;
/** A search waits until the fingers rest. */
const REST_MS = 250;
const STATES = /** @type {const} */ ([
  ["", "all pulls"],
  ["running", "those that go on"],
  ["done", "those that went well"],
  ["failed", "those that failed"],
]);

/** @param {{ readonly keepsClients: boolean }} props */
export function PullList({ keepsClients }) {
  const { search = "", state = "" } = route.value.query;
  const [places, setPlaces] = useState(/** @type {readonly (string | undefined)[]} */ ([undefined]));
  useEffect(() => setPlaces([undefined]), [search, state]);
  const after = places.at(-1);
  const { me } = whose();
  const known = STATES.some(([name]) => name === state) ? state : "";
  const asked = useAsked(
    (signal) => get("/api/v1/pulls", { search, state: known, after, limit: PAGE }, signal),
    [search, known, after],
    // What is older does not change.
    after === undefined ? AGAIN_MS : undefined,
  );
  const items = /** @type {readonly any[]} */ (asked.data?.items ?? []);
  const isFiltered = search !== "" || known !== "";
  return html`<section class="card pulls"><header><h2>Pulls</h2>${me !== undefined && html`<span class="quiet">of ${me}; each node has its own</span>`}${!keepsClients && html`<span class="quiet">Addresses of clients are not kept.</span>`}</header>
    <form class="bar" role="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <${Search} value=${search} keepsClients=${keepsClients} />
      <label><span class="hidden">Which pulls</span><select value=${known} onChange=${(/** @type {Event & { currentTarget: HTMLSelectElement }} */ { currentTarget }) => ask({ state: currentTarget.value })}>
        ${STATES.map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}</select></label>
    </form>
    <${Waiting} asked=${asked} />
    ${asked.data !== undefined && items.length === 0 && html`<p class="empty">${isFiltered ? "No pull that is kept fits." : "Nothing was pulled yet."}</p>`}
    ${items.length > 0 && html`<${Table} items=${items} keepsClients=${keepsClients} />`}
    ${
      (places.length > 1 || asked.data?.next !== undefined) &&
      html`<nav class="bar more" aria-label="Pages of pulls">
      <button class="push" type="button" disabled=${places.length === 1} onClick=${() => setPlaces(places.slice(0, -1))}>Newer</button>
      <button type="button" disabled=${asked.data?.next === undefined} onClick=${() => setPlaces([...places, asked.data?.next])}>Older</button></nav>`
    }
  </section>`;
}

/** @param {{ readonly value: string, readonly keepsClients: boolean }} props */
function Search({ value, keepsClients }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => ask({ search: text }), REST_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const what = keepsClients ? "Image, model or client" : "Image or model";
  return html`<label class="search bar"><${Icon} name="search" /><span class="hidden">${what}</span>
    <input type="search" placeholder=${what} value=${text} maxlength="500" onInput=${(/** @type {Event & { currentTarget: HTMLInputElement }} */ { currentTarget }) => setText(currentTarget.value)} /></label>`;
}

/** @param {{ readonly items: readonly any[], readonly keepsClients: boolean }} props */
function Table({ items, keepsClients }) {
  const now = status.value?.now ?? Date.now();
  return html`<div class="scroll"><table>
    <thead><tr><th scope="col">What</th>${keepsClients && html`<th scope="col">Client</th>`}<th scope="col" class="wide">By</th><th scope="col" class="number-cell">To it</th><th scope="col" class="number-cell wide">Took</th><th scope="col">When</th></tr></thead>
    <tbody>${items.map((pull) => html`<${Row} key=${pull.id} pull=${pull} now=${now} keepsClients=${keepsClients} />`)}</tbody></table></div>`;
}

/** @param {{ readonly pull: Pull, readonly now: number, readonly keepsClients: boolean }} props */
function Row({ pull, now, keepsClients }) {
  const { state, reason, platform, client, agent, served, tookMs, begunAt, hits, misses } = pull;
  const isFailed = state === "failed";
  return html`<tr data-state=${state}><td class="name"><a href=${linkTo("contents", { search: `${pull.upstream}/${pull.repository}` })}>${nameOf(pull)}</a>
      ${platform !== undefined && html` <span class="tag">${platform}</span>`}${state === "running" && html` <span class="tag good">goes on</span>`}${state === "done" && misses === 0 && hits > 0 && html` <span class="tag" title="Nothing of it had to come from the internet">all from here</span>`}
      ${isFailed && html`<div class="bad small">${reason ?? "It failed."}</div>`}</td>
    ${keepsClients && html`<td class="name">${client === undefined ? html`<span class="quiet">not kept</span>` : html`<a class="quiet" href=${linkTo("history", { ...route.value.query, search: client })}>${client}</a>`}</td>`}
    <td class="wide quiet">${agent}</td><td class="number-cell">${size(served)}</td><td class="number-cell wide quiet">${duration(tookMs)}</td><td class="quiet when">${moment(begunAt, now)}</td></tr>`;
}
