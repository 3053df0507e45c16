/** Owns who brings what for the whole fleet right now, and since when. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { duration } from "../format.js";
import { linkTo } from "../route.js";
import { purposeOf } from "./words.js";

/** @typedef {import("../../http/admin/routes/fleet-shapes.ts").FleetAnswer} FleetAnswer */
/** @typedef {FleetAnswer["leases"][number]} Lease */

const FEW = 12;

/** @param {{ readonly leases: readonly Lease[] }} props */
export function Leases({ leases }) {
  const [isAll, setAll] = useState(false);
  const shown = isAll ? leases : leases.slice(0, FEW);
  return html`<section class="card"><header><h2>Done by one for all</h2><span class="quiet">${leases.length > 0 && `${leases.length.toLocaleString("en")}, the longest first`}</span></header>
    ${leases.length === 0 && html`<p class="empty">No node brings anything for the others right now.</p>`}
    <ul class="rows">${shown.map((lease) => html`<${Row} key=${keyOf(lease)} lease=${lease} />`)}</ul>
    ${leases.length > FEW && html`<button class="more" type="button" aria-expanded=${isAll ? "true" : "false"} onClick=${() => setAll(!isAll)}>${isAll ? "Show fewer" : `Show all ${leases.length.toLocaleString("en")}`}</button>`}
  </section>`;
}

/** @param {{ readonly lease: Lease }} props */
function Row({ lease }) {
  const { kind, node, isMe, heldMs, upstream, repository, digest } = lease;
  const [does, what] = purposeOf(lease);
  const isNamed = upstream !== undefined && repository !== undefined;
  const known = isNamed
    ? html`<a href=${linkTo("contents", { search: `${upstream}/${repository}` })}>${what}</a>`
    : what;
  return html`<li data-kind=${kind}><span class="name"><span class="quiet"><strong>${node}</strong>${isMe && " (this one)"} ${does}</span> ${known}</span><span class="right small quiet">for ${duration(heldMs)}</span>
    ${digest !== undefined && html`<span class="wide-row small quiet cut" title=${digest}>${upstream === undefined ? "to the bucket" : `from ${upstream}`} · <code>${digest}</code></span>`}</li>`;
}

/** @param {Lease} lease */
function keyOf({ kind, upstream, repository, tag, digest, key }) {
  return [kind, upstream, digest ?? repository, tag, key].join(" ");
}
