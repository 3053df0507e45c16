/** Owns what is shown in place of a part of the page that cannot be drawn: the rest goes on. */
import { html } from "htm/preact";
import { useErrorBoundary } from "preact/hooks";
import { Icon } from "./icon.js";

/** @param {unknown} error */
function sentenceOf(error) {
  const text = error instanceof Error ? error.message : String(error);
  return `${text.replace(/\.$/, "")}.`;
}

/** @param {{ readonly what: string, readonly children?: unknown }} props `what`: "This view" */
export function Boundary({ what, children }) {
  const [error, again] = useErrorBoundary((failure) => console.error(failure));
  if (error === undefined) return children;
  return html`<div class="banner bad" role="alert"><${Icon} name="warning" />
    <p>${what} cannot be drawn: ${sentenceOf(error)} Granary itself goes on, and so does the rest of this page.</p>
    <button class="push" type="button" onClick=${again}>Try again</button></div>`;
}
