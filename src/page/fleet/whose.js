/**
 * Owns whose events and traffic a view shows: on a node of a fleet those of all nodes, or of one that a person chooses, and which nodes did not
 * answer. On a Granary that is alone it shows nothing.
 */
import { html } from "htm/preact";
import { status } from "../live.js";
import { Icon } from "../parts/icon.js";
import { ask, route } from "../route.js";

/** @typedef {import("zod").infer<typeof import("../../http/admin/routes/fleet-query.ts").heardSchema>} Heard */

/** More of them are counted. */
const FEW = 4;

/**
 * `me`: the node that is asked; undefined where there is no fleet. `node`: the one that was chosen; undefined: all of them. `query`: how the API is asked
 * for these; a Granary that is alone tells its own.
 */
export function whose() {
  const me = status.value?.fleet?.node;
  const { node = "" } = route.value.query;
  const chosen = me === undefined || node === "" ? undefined : node;
  return { me, node: chosen, query: chosen === undefined ? { fleet: true } : { node: chosen } };
}

/** "--fleet", "--node b", "". */
export function whoseFlag() {
  const { me, node } = whose();
  if (me === undefined) return "";
  return node === undefined ? " --fleet" : ` --node ${node}`;
}

/** @param {{ readonly heard: Heard | undefined, readonly label: string }} props */
export function WhoseChoice({ heard, label }) {
  const { me, node: chosen } = whose();
  if (me === undefined) return null;
  const nodes = [...new Set([...(heard?.nodes ?? [me]), ...(chosen === undefined ? [] : [chosen])])].sort();
  return html`<label><span class="hidden">${label}</span><select value=${chosen ?? ""} onChange=${(/** @type {Event & { currentTarget: HTMLSelectElement }} */ { currentTarget }) => ask({ node: currentTarget.value })}>
    <option value="">all nodes</option>${nodes.map((node) => html`<option key=${node} value=${node}>${node}${node === me && " (this one)"}</option>`)}</select></label>`;
}

/** @param {{ readonly heard: Heard | undefined }} props */
export function MissingNodes({ heard }) {
  if (heard === undefined) return null;
  const { missing, seenAt } = heard;
  return html`${missing.map(({ node, reason }) => html`<p class="banner note" role="status" key=${node}><${Icon} name="warning" /><span class="name">${reason} What is below is without it.</span></p>`)}
    ${seenAt === undefined && html`<p class="banner note" role="status"><${Icon} name="warning" /><span>The fleet's database has not told of any other node yet.</span></p>`}`;
}

/** "a, b", "12 nodes". @param {readonly string[]} nodes */
export function nodeNames(nodes) {
  return nodes.length > FEW ? `${nodes.length} nodes` : nodes.join(", ");
}
