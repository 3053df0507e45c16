/** Owns the map of a blob as a part of the page, and the legend that explains its marks. How it looks is in map-painter.js. */
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { startMap } from "./map-frames.js";
import { mapText } from "./map-text.js";

/** @typedef {import("../live.js").Status["fills"][number]} Fill */

/** @param {{ readonly fill: Fill }} props */
export function BlobMap({ fill }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const map = useRef(/** @type {ReturnType<typeof startMap> | undefined} */ (undefined));
  useEffect(() => {
    if (canvas.current === null) return;
    map.current = startMap(canvas.current);
    return () => map.current?.end();
  }, []);
  useEffect(() => map.current?.show(fill), [fill]);
  return html`<canvas class="blob-map" ref=${canvas} role="img" aria-label=${mapText(fill)}></canvas>`;
}

/** What the marks mean, once for all maps of a list. */
export function MapLegend() {
  return html`<ul class="legend map-legend" aria-label="What the marks mean">
    <li><i class="is-served"></i>here</li>
    <li><i class="is-part"></i>in part</li>
    <li><i class="is-missing"></i>not here yet</li>
    <li><${Mark} kind="lane" path="M1 1H11L6 9Z" />is written</li>
    <li><${Mark} kind="reader" path="M1 11H11L6 3Z" />is read</li>
    <li><${Mark} kind="waiter" path="M2 10.5H10L6 4Z" />is waited for</li>
  </ul>`;
}

/** @param {{ readonly kind: string, readonly path: string }} props */
function Mark({ kind, path }) {
  return html`<svg class=${`map-mark ${kind}`} viewBox="0 0 12 12" aria-hidden="true"><path d=${path} /></svg>`;
}
