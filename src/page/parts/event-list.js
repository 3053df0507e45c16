/**
 * Owns the list of what happened: the events that are kept, by their kind, and those of this moment as they come. On a node of a fleet those of all
 * nodes: its own come by the stream, those of the others are asked for while somebody looks.
 */
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { get } from "../api.js";
import { MissingNodes, WhoseChoice, whose, whoseFlag } from "../fleet/whose.js";
import { moment } from "../format.js";
import { events, status } from "../live.js";
import { ask, route } from "../route.js";
import { useAsked, Waiting } from "./asked.js";
import { Command } from "./command.js";

/** @typedef {import("../live.js").ToldEvent & { readonly node?: string | undefined }} ToldEvent */

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
/** Of a fleet. */
const AGAIN_MS = 3_000;

export function EventList() {
  const { kind: wanted = "" } = route.value.query;
  const kind = KINDS.some(([name]) => name === wanted) ? wanted : "";
  const [limit, setLimit] = useState(PAGE);
  const { me, node, query } = whose();
  useEffect(() => setLimit(PAGE), [kind, node]);
  const past = useAsked(
    async (signal) => ({
      ...(await get("/api/v1/events/past", { kind, limit, ...query }, signal)),
      of: node,
    }),
    [kind, limit, node, me],
    me === undefined ? undefined : AGAIN_MS,
  );
  // An answer to the question before this one is of other nodes.
  const heard = past.data?.of === node ? past.data : undefined;
  const own = node === undefined || node === me ? events.value.map((event) => ({ ...event, node: me })) : [];
  const all = inOrder(
    [...(heard?.items ?? []), ...own].filter((event) => kind === "" || event.kind === kind),
  );
  const now = status.value?.now ?? Date.now();
  return html`<section class="card happened"><header><h2>What happened</h2><div class="bar"><${WhoseChoice} heard=${heard?.fleet} label="At which node" />
      <label><span class="hidden">Which events</span><select value=${kind} onChange=${(/** @type {Event & { currentTarget: HTMLSelectElement }} */ { currentTarget }) => ask({ kind: currentTarget.value })}>
        ${KINDS.map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}</select></label></div></header>
    <${Waiting} asked=${past} /><${MissingNodes} heard=${heard?.fleet} />
    ${heard !== undefined && all.length === 0 && html`<p class="empty">${kind === "" ? "Nothing yet." : "Nothing of this kind is kept."}</p>`}
    <ul class="rows">${all.slice(0, limit).map(({ id, at, node: where, kind: of, text, facts }) => html`<li key=${`${where} ${id}`} data-kind=${of}><span class=${`name ${BAD.includes(of) ? "bad" : ""}`}>${text}${where !== undefined && html` <span class="tag">${where}</span>`}${facts.client !== undefined && html` <span class="quiet small">${facts.client}</span>`}</span><span class="right quiet small">${moment(at, now)}</span></li>`)}</ul>
    ${(heard?.next !== undefined || all.length > limit) && limit < 1_000 && html`<button class="more" type="button" onClick=${() => setLimit(Math.min(1_000, limit + 3 * PAGE))}>Show older</button>`}
    <${Command} text=${`granary events${whoseFlag()} --follow${kind === "" ? "" : ` --kind ${kind}`}`} label="Copy the command" /></section>`;
}

/**
 * Each once, the newest first: of one node in its own order, of two by their clocks.
 * @param {readonly ToldEvent[]} told
 */
function inOrder(told) {
  const found = new Map(told.map((event) => [`${event.node} ${event.id}`, event]));
  return [...found.values()].sort((a, b) => (a.node === b.node ? b.id - a.id : b.at - a.at));
}
