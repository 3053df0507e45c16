/** Owns the list of what happened: the events that are kept, by their kind, and those of this moment as they come. */
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { get } from "../api.js";
import { moment } from "../format.js";
import { events, status } from "../live.js";
import { ask, route } from "../route.js";
import { useAsked, Waiting } from "./asked.js";
import { Command } from "./command.js";

/** @typedef {import("../live.js").ToldEvent} ToldEvent */

/** As people call them; the server has the names. @type {readonly (readonly [string, string])[]} */
const KINDS = [
  ["", "everything"],
  ["pull-failed", "pulls that failed"],
  ["pull-begun", "pulls that began"],
  ["pull-ended", "pulls that went well"],
  ["fill-begun", "transfers that began"],
  ["fill-paused", "transfers that paused"],
  ["fill-ended", "transfers that ended"],
  ["fill-failed", "transfers that failed"],
  ["digest-mismatch", "wrong bytes"],
  ["tag-moved", "tags that moved"],
  ["held-back", "tags held back"],
  ["evicted", "evicted"],
  ["removed", "removed"],
  ["upstream-down", "upstreams that failed"],
  ["upstream-up", "upstreams that came back"],
  ["upstream-limited", "upstreams that limited us"],
  ["upstream-offline", "upstreams set offline"],
  ["upstream-online", "upstreams set online"],
  ["job-begun", "jobs that began"],
  ["job-ended", "jobs that ended"],
  ["settings-reloaded", "settings reloaded"],
];
const BAD = ["pull-failed", "fill-failed", "digest-mismatch", "upstream-down"];
const PAGE = 30;

export function EventList() {
  const { kind: wanted = "" } = route.value.query;
  const kind = KINDS.some(([name]) => name === wanted) ? wanted : "";
  const [limit, setLimit] = useState(PAGE);
  useEffect(() => setLimit(PAGE), [kind]);
  const past = useAsked((signal) => get("/api/v1/events/past", { kind, limit }, signal), [kind, limit]);
  const fits = (/** @type {ToldEvent} */ event) => kind === "" || event.kind === kind;
  const found = new Map(
    [...(past.data?.items ?? []), ...events.value]
      .filter(fits)
      .map((/** @type {ToldEvent} */ event) => [event.id, event]),
  );
  const all = [...found.values()].sort((a, b) => b.id - a.id);
  const now = status.value?.now ?? Date.now();
  return html`<section class="card happened"><header><h2>What happened</h2>
      <label><span class="hidden">Which events</span><select value=${kind} onChange=${(/** @type {Event & { currentTarget: HTMLSelectElement }} */ { currentTarget }) => ask({ kind: currentTarget.value })}>
        ${KINDS.map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}</select></label></header>
    <${Waiting} asked=${past} />
    ${past.data !== undefined && all.length === 0 && html`<p class="empty">${kind === "" ? "Nothing yet." : "Nothing of this kind is kept."}</p>`}
    <ul class="rows">${all.slice(0, limit).map(({ id, at, kind: of, text, facts }) => html`<li key=${id} data-kind=${of}><span class=${`name ${BAD.includes(of) ? "bad" : ""}`}>${text}${facts.client !== undefined && html` <span class="quiet small">${facts.client}</span>`}</span><span class="right quiet small">${moment(at, now)}</span></li>`)}</ul>
    ${(past.data?.next !== undefined || all.length > limit) && limit < 1_000 && html`<button class="more" type="button" onClick=${() => setLimit(Math.min(1_000, limit + 3 * PAGE))}>Show older</button>`}
    <${Command} text=${`granary events --follow${kind === "" ? "" : ` --kind ${kind}`}`} label="Copy the command" /></section>`;
}
