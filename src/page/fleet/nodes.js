/** Owns the nodes of the fleet: whether each lives, where it is, which version it runs, and what it does. */
import { html } from "htm/preact";
import { counted, rate, size } from "../format.js";
import { stateOfNode } from "./words.js";

/** @typedef {import("../../http/admin/routes/fleet-shapes.ts").FleetAnswer} FleetAnswer */
/** @typedef {FleetAnswer["nodes"][number]} Node */

/** @param {{ readonly fleet: FleetAnswer }} props */
export function Nodes({ fleet: { nodes, database } }) {
  const live = nodes.filter(({ isLive }) => isLive).length;
  const isNow = database.isAnswering;
  const version = nodes.find(({ isMe }) => isMe)?.version;
  return html`<section class="card"><header><h2>Nodes</h2><span class="quiet">${live} of ${counted(nodes.length, "node")} ${isNow ? "live" : "were live"}</span></header>
    ${nodes.length === 0 && html`<p class="empty">The database has not told of any node yet.</p>`}
    <ul class="fleet-nodes">${nodes.map((node) => html`<${Row} key=${node.node} node=${node} version=${version} isNow=${isNow || node.isMe} />`)}</ul></section>`;
}

/** @param {{ readonly node: Node, readonly version: string | undefined, readonly isNow: boolean }} props */
function Row({ node, version, isNow }) {
  const { isMe, address, zone, state, version: own } = node;
  const [mark, words] = stateOfNode(node, isNow);
  const isOther = version !== undefined && own !== version;
  return html`<li data-node=${node.node}>
    <p class="now-line"><span class="cut"><span class=${`dot ${mark} inline`}></span> <strong>${node.node}</strong>${isMe && html` <span class="tag">this one</span>`}</span><span class=${`small now-amount ${mark === "good" ? "quiet" : mark}`}>${words}</span></p>
    <p class="small quiet name">${zone !== undefined && `${zone} · `}<span class=${isOther ? "note" : ""}>${own}${isOther && ", another version"}</span> · ${address}</p>
    <${Work} state=${state} />
  </li>`;
}

/** A node that has told nothing yet, or of another version, leaves out what it does not tell. @param {{ readonly state: Node["state"] }} props */
function Work({ state: { fills, stored, budget, served, unshared = 0 } }) {
  if (stored === undefined) return null;
  const meter = {
    width: `${budget === undefined || budget <= 0 ? 0 : Math.min(100, (stored / budget) * 100)}%`,
  };
  return html`<div class="meter"><i style=${meter}></i></div>
    <p class="small fleet-work"><span>${size(stored)}${budget !== undefined && html` <span class="quiet">of ${size(budget)} on its disk</span>`}</span>
      ${fills !== undefined && html`<span>${counted(fills, "transfer")}</span>`}
      ${served !== undefined && html`<span>${rate(served)} <span class="quiet">to clients</span></span>`}
      ${unshared > 0 && html`<span class="quiet">${counted(unshared, "blob")} on the way to the bucket</span>`}</p>`;
}
