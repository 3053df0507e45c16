/** Owns the colours of the maps, taken from the page's style. A canvas needs them as numbers; they are read again when the scheme changes. */
import { NOTHING, WHOLE } from "./map-columns.js";

/**
 * `levels` has one for each that a column can have, as a pixel of an image.
 * @typedef {{ readonly missing: string, readonly lane: string, readonly reader: string, readonly levels: Uint32Array }} MapColours
 */

/** Of a column that is here in part: neither near "nothing" nor near "all", however little or much of it is here. */
const LEAST = 0.3;
const MOST = 0.7;

/** @type {MapColours | undefined} */
let colours;

/** @returns {MapColours} */
export function mapColours() {
  colours ??= {
    missing: `rgb(${rgb("--edge").join(" ")})`,
    lane: `rgb(${rgb("--fetched").join(" ")})`,
    reader: `rgb(${rgb("--text").join(" ")})`,
    levels: levelsBetween(rgb("--edge"), rgb("--served")),
  };
  return colours;
}

/** @param {() => void} changed */
export function onSchemeChange(changed) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    colours = undefined;
    changed();
  });
}

/**
 * A colour of the style, as the screen shows it.
 * @param {string} name
 * @returns {readonly [number, number, number]}
 */
function rgb(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  if (context === null) return [0, 0, 0];
  context.fillStyle = getComputedStyle(probe).color;
  probe.remove();
  context.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
  return [red, green, blue];
}

/**
 * @param {readonly [number, number, number]} nothing
 * @param {readonly [number, number, number]} all
 */
function levelsBetween(nothing, all) {
  const bytes = new Uint8ClampedArray((WHOLE + 1) * 4);
  for (let level = NOTHING; level <= WHOLE; level += 1) {
    const isPart = level !== NOTHING && level !== WHOLE;
    const share = level / WHOLE;
    const mixed = isPart ? LEAST + (MOST - LEAST) * share : share;
    bytes.set(
      [...nothing.map((value, index) => value + ((all[index] ?? 0) - value) * mixed), 255],
      level * 4,
    );
  }
  return new Uint32Array(bytes.buffer);
}
