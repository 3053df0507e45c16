/** Owns the list of names in a dry run: few are shown at once, the others are counted. */
import { html } from "htm/preact";
import { counted } from "../format.js";

const MOST_SHOWN = 100;

/** @param {{ readonly names: readonly string[] }} props */
export function NameList({ names }) {
  const more = names.length - MOST_SHOWN;
  return html`<ul class="rows list" tabindex=${names.length > 5 ? 0 : undefined} aria-label="Names">${names.slice(0, MOST_SHOWN).map((name) => html`<li key=${name}><span class="name">${name}</span></li>`)}
    ${more > 0 && html`<li class="quiet">and ${counted(more, "more name")}</li>`}</ul>`;
}
