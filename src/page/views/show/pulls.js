/** Owns who pulled what is shown, and when. */
import { html } from "htm/preact";
import { ago, size } from "../../format.js";
import { status } from "../../live.js";

/** @param {{ readonly pulls: readonly any[] }} props */
export function Pulls({ pulls }) {
  const now = status.value?.now ?? Date.now();
  if (pulls.length === 0) return null;
  return html`<section class="card"><header><h2>Pulled by</h2><span class="quiet">the newest first, any tag of it</span></header><ul class="rows">
    ${pulls.map(
      (
        pull,
        place,
      ) => html`<li key=${`${pull.begunAt} ${place}`}><span class="name">${pull.client ?? "a machine"} ${pull.tag !== undefined && html`<span class="tag">${pull.tag}</span>`} ${pull.platform !== undefined && html`<span class="tag">${pull.platform}</span>`} ${pull.state === "failed" && html`<span class="tag bad">failed</span>`}</span>
      <span class="right quiet">${size(pull.served)}, ${ago(pull.begunAt, now)}</span></li>`,
    )}</ul></section>`;
}
