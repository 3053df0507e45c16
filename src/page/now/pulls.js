/** Owns the clients at work: what each pulls, how much of it has come, and how fast. The order is that in which they began. */
import { html } from "htm/preact";
import { ago, counted, nameOf, percent, rate, size } from "../format.js";

/** @typedef {import("../live.js").Status} Status */
/** @typedef {Status["pulls"][number]} Pull */

const MOST_CLIENTS = 20;
const MOST_PULLS = 8;

/** @param {{ readonly pulls: readonly Pull[], readonly now: number }} props */
export function Clients({ pulls, now }) {
  const clients = byClient(pulls);
  return html`<section class="card">
    <header><h2>Clients at work</h2><span class="quiet">${pulls.length > 0 && `${counted(clients.length, "client")}, ${counted(pulls.length, "pull")}`}</span></header>
    ${pulls.length === 0 && html`<p class="empty">No client pulls right now.</p>`}
    <ul class="at-work">${clients.slice(0, MOST_CLIENTS).map(
      ([key, theirs]) => html`<li key=${key}>
        <p class="now-line small"><strong class="cut">${theirs[0]?.client ?? "a client"}</strong><span class="quiet">${theirs[0]?.agent}</span></p>
        <ul>${theirs.slice(0, MOST_PULLS).map((pull) => html`<${PullRow} key=${pull.id} pull=${pull} now=${now} />`)}</ul>
        ${theirs.length > MOST_PULLS && html`<p class="small quiet">and ${theirs.length - MOST_PULLS} more</p>`}
      </li>`,
    )}</ul>
    ${clients.length > MOST_CLIENTS && html`<p class="quiet">and ${counted(clients.length - MOST_CLIENTS, "more client")}</p>`}
  </section>`;
}

/**
 * @param {readonly Pull[]} pulls
 * @returns {[string, Pull[]][]}
 */
function byClient(pulls) {
  /** @type {Map<string, Pull[]>} */
  const found = new Map();
  for (const pull of [...pulls].sort((a, b) => a.id - b.id)) {
    const key = `${pull.client} ${pull.agent}`;
    const theirs = found.get(key);
    if (theirs === undefined) found.set(key, [pull]);
    else theirs.push(pull);
  }
  return [...found];
}

/** @param {{ readonly pull: Pull, readonly now: number }} props */
function PullRow({ pull, now }) {
  const { served, size: all, platform } = pull;
  const meter = { width: `${all === null || all === 0 ? 0 : Math.min(100, (served / all) * 100)}%` };
  return html`<li class="pull">
    <p class="now-line"><span class="cut" title=${nameOf(pull)}>${nameOf(pull)}</span><span class="now-amount small">${all === null ? size(served) : html`${percent(served, all)} <span class="quiet">of ${size(all)}</span>`}</span></p>
    ${all !== null && html`<div class="meter"><i style=${meter}></i></div>`}
    <p class="now-line small quiet"><span class="cut">${platform ?? ""}</span><span>${paceOf(pull, now)}</span></p>
  </li>`;
}

/** @param {Pull} pull @param {number} now epoch ms */
function paceOf({ requests, waiting, bytesPerSecond, begunAt }, now) {
  if (bytesPerSecond > 0) return rate(bytesPerSecond);
  if (waiting > 0) return "waits for bytes";
  return requests > 0 ? "begins" : `between two requests, began ${ago(begunAt, now)}`;
}
