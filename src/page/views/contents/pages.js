/** Owns the way through the pages of the contents: where one is, the page before and the next. */
import { html } from "htm/preact";
import { goTo } from "./address.js";

/** @typedef {import("zod").infer<typeof import("../../../http/admin/routes/contents-routes.ts").contentsSchema>} Page */

/** @param {{ readonly answer: Page, readonly noun: readonly [string, string] }} props */
export function Pages({ answer: { items, place, count, next, previous }, noun: [one, many] }) {
  const shown = count.toLocaleString("en");
  const all = `${shown} ${count === 1 ? one : many}`;
  const range = `${(place + 1).toLocaleString("en")}–${(place + items.length).toLocaleString("en")} of ${all}`;
  return html`<nav class="bar" aria-label="Pages">
    <span class="quiet small" role="status">${items.length === count || items.length === 0 ? all : range}</span>
    ${
      (next !== undefined || previous !== undefined) &&
      html`<${Step} text="Previous" after=${previous} isFirst=${true} /><${Step} text="Next" after=${next} />`
    }
  </nav>`;
}

/**
 * One that leads nowhere keeps the focus of who came to the end by it.
 * @param {{ readonly text: string, readonly after: string | undefined, readonly isFirst?: boolean }} props
 */
function Step({ text, after, isFirst = false }) {
  const onClick = () => {
    if (after === undefined) return;
    goTo({ after });
    document.querySelector("main h1")?.scrollIntoView();
  };
  return html`<button type="button" class=${isFirst ? "push" : ""} aria-disabled=${after === undefined} onClick=${onClick}>${text}</button>`;
}
