/** Owns the icons: lines of one width on a field of 24, drawn in the colour of the text. They say nothing that the text beside them does not. */
import { html } from "htm/preact";

/** @type {Readonly<Record<string, string>>} */
const PATHS = {
  pulse: "M3 12h4l3-8 4 16 3-8h4",
  boxes: "M3 8.5 12 4l9 4.5-9 4.5ZM3 8.5V16l9 4.5 9-4.5V8.5M12 13v7.5",
  chart: "M4 20V10M10 20V4M16 20v-7M21 20H3",
  plug: "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0ZM12 17v4",
  list: "M4 6h2M10 6h10M4 12h2M10 12h10M4 18h2M10 18h10",
  nodes:
    "M12 3.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5ZM5.5 15.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5ZM18.5 15.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5ZM10.8 8.2l-4 7.5M13.2 8.2l4 7.5M8 18h8",
  warning: "M12 4 2.5 20h19ZM12 10v4M12 17v.5",
  copy: "M9 9h11v11H9ZM5 15H4V4h11v1",
  check: "m4 12.5 5 5L20 6.5",
  search: "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14Zm5 12 4.5 4.5",
  lock: "M6 11h12v9H6ZM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  refresh: "M20 12a8 8 0 1 1-2.5-5.8M20 3v4h-4",
  remove: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
  fetch: "M12 3v12M7 10.5l5 5 5-5M4 20h16",
  back: "M15 5l-7 7 7 7",
  close: "M6 6l12 12M18 6 6 18",
  unlock: "M6 11h12v9H6ZM8.5 11V8a3.5 3.5 0 0 1 6.8-1.2",
  broom: "M20 4 11 13M8 11l5 5-5 4H3l1-5Z",
  box: "M4 8h16v12H4ZM3 4h18v4H3ZM10 12h4",
};

/** @param {{ readonly name: string }} props */
export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}
