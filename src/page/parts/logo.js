/** Owns the mark of Granary: a house with an ear of grain in it. The same shape is icon.svg, with colours of its own for the tabs of browsers. */
import { html } from "htm/preact";

const HOUSE =
  "M14.9 1.7a2 2 0 0 1 2.2 0L29.6 9.9a2 2 0 0 1 .9 1.7v15.9a3 3 0 0 1-3 3h-23a3 3 0 0 1-3-3V11.6a2 2 0 0 1 .9-1.7Z";
const GRAIN =
  "M16 6c2.9 2.7 2.9 5.5 0 8-2.9-2.5-2.9-5.3 0-8ZM15.2 20.2c-4-.2-6.2-2.6-6-6.6 4 .4 6 2.7 6 6.6ZM16.8 20.2c4-.2 6.2-2.6 6-6.6-4 .4-6 2.7-6 6.6ZM15.2 27c-4-.2-6.2-2.6-6-6.6 4 .4 6 2.7 6 6.6ZM16.8 27c4-.2 6.2-2.6 6-6.6-4 .4-6 2.7-6 6.6Z";

export function Logo() {
  return html`<svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><path d=${HOUSE} /><path class="grain" d=${GRAIN} /></svg>`;
}
