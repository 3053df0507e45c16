/** Owns how much of a long list is drawn: the first of it, and further ones each time somebody asks. Thousands of lines make a page slow and tell nobody anything. */
import { html } from "htm/preact";
import { useState } from "preact/hooks";

const AT_ONCE = 100;

/**
 * What of `items` is shown, and the button for more, if there are more.
 * @template T
 * @param {readonly T[]} items
 * @returns {readonly [readonly T[], unknown]}
 */
export function useSome(items) {
  const [most, setMost] = useState(AT_ONCE);
  const rest = items.length - most;
  const button =
    rest > 0 &&
    html`<button class="plain more" type="button" onClick=${() => setMost(most + AT_ONCE)}>Show more <span class="quiet">${rest.toLocaleString("en")} are left</span></button>`;
  return [items.slice(0, most), button];
}
