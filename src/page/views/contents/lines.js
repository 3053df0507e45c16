/** Owns the list of contents: its columns, by which it is sorted, and each line with what can be done to it. */
import { html } from "htm/preact";
import { keepName, unkeepName } from "../../changes/keep.js";
import { removeName } from "../../changes/remove.js";
import { ago, counted, nameOf, percent, shortDigest, size } from "../../format.js";
import { status } from "../../live.js";
import { wholeName } from "../../names.js";
import { Icon } from "../../parts/icon.js";
import { linkTo } from "../../route.js";
import { addressWith, asking, ORDERS } from "./address.js";

/** @typedef {import("zod").infer<typeof import("../../../http/admin/routes/contents-routes.ts").contentsSchema>["items"][number]} Item */

/** @param {{ readonly items: readonly any[], readonly again: () => void }} props */
export function Lines({ items, again }) {
  return html`<div class="scroll"><table class="contents">
    <thead><tr><${Head} sort="name" text="Name" /><${Head} sort="size" text="Size" kind="number-cell" />
      <th scope="col" class="wide">Here</th><${Head} sort="saved" text="Saved" kind="number-cell wide" />
      <${Head} sort="used" text="Last used" kind="wide" /><th scope="col"><span class="hidden">What to do</span></th></tr></thead>
    <tbody>${inOrder(items).map((item) => html`<${Line} key=${`${wholeName(item)} ${item.digest ?? ""}`} item=${item} again=${again} />`)}</tbody>
  </table></div>`;
}

/**
 * The server's order is some seconds old, and the numbers are of now: while something comes in, they would stand in the wrong order.
 * @param {readonly Item[]} items
 */
function inOrder(items) {
  const { sort, isReversed } = asking();
  if (sort !== "size" && sort !== "used") return items;
  /** @param {Item} item @returns {number} */
  const worth = (item) => (sort === "size" ? item.size + item.partial : (item.usedAt ?? 0));
  return [...items].sort((a, b) => (isReversed ? worth(a) - worth(b) : worth(b) - worth(a)));
}

/** @param {{ readonly sort: string, readonly text: string, readonly kind?: string }} props */
function Head({ sort, text, kind = "" }) {
  const now = asking();
  const isSorted = now.sort === sort;
  const natural = ORDERS[sort] ?? "descending";
  const other = natural === "ascending" ? "descending" : "ascending";
  const order = isSorted ? (now.isReversed ? other : natural) : undefined;
  const address = addressWith({ sort, reverse: isSorted && !now.isReversed ? "1" : undefined });
  return html`<th scope="col" class=${kind} aria-sort=${order}><a class="sort" href=${address}>${text}<span aria-hidden="true">${order === "ascending" ? "↑" : order === "descending" ? "↓" : ""}</span></a></th>`;
}

/** @param {{ readonly item: Item, readonly again: () => void }} props */
function Line({ item, again }) {
  const { tag, digest, tags, saved = 0 } = item;
  const pattern = wholeName(item);
  const title = nameOf(item) + (tag === undefined && digest !== undefined ? `@${shortDigest(digest)}` : "");
  const now = status.value?.now ?? Date.now();
  const here = item.size + item.partial;
  const platforms = item.platforms ?? [];
  return html`<tr>
    <td class="name"><a class="stored" href=${linkTo("show", { reference: pattern })} title=${pattern}>${title}</a>
      ${tags !== undefined && tags !== 1 && html` <span class="tag">${counted(tags, "tag")}</span>`}
      ${item.keptBy !== undefined && html` <span class="tag good" title=${`kept by the rule ${item.keptBy}`}>kept</span>`}
      ${platforms.slice(0, 3).map((/** @type {string} */ platform) => html` <span class="tag" key=${platform}>${platform}</span>`)}${platforms.length > 3 && html` <span class="tag">${platforms.length - 3} more</span>`}</td>
    <td class="number-cell">${size(here)}</td>
    <td class="wide quiet">${hereOf(here, item.wanted)}</td>
    <td class="number-cell wide">${tags !== undefined && saved > 0 && size(saved)}</td>
    <td class="wide quiet">${ago(item.usedAt, now)}${item.usedBy !== undefined && html` <span class="small">by ${item.usedBy}</span>`}</td>
    <td class="number-cell acts"><${Acts} item=${item} pattern=${pattern} title=${title} here=${here} again=${again} /></td>
  </tr>`;
}

/** @param {number} here @param {number} wanted */
function hereOf(here, wanted) {
  if (wanted <= here) return "all of it";
  return here === 0 ? `nothing of ${size(wanted)}` : `${percent(here, wanted)} of ${size(wanted)}`;
}

/** @param {{ readonly item: Item, readonly pattern: string, readonly title: string, readonly here: number, readonly again: () => void }} props */
function Acts({ item: { keptBy }, pattern, title, here, again }) {
  const isKept = keptBy !== undefined;
  const label = isKept ? `Do not keep ${title} any more` : `Keep ${title}`;
  return html`<button type="button" class="plain" data-change title=${isKept ? `Kept by ${keptBy}: take that back` : "Keep"}
      onClick=${() => (isKept ? unkeepName(keptBy, again) : keepName(pattern, again, title))}><${Icon} name=${isKept ? "unlock" : "lock"} /><span class="hidden">${label}</span></button>
    <button type="button" class="plain" data-change title="Remove" onClick=${() => removeName({ pattern, title, here, after: again })}><${Icon} name="remove" /><span class="hidden">Remove ${title}</span></button>`;
}
