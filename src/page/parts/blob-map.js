/**
 * Owns the map of a blob that fills: what is here, where each connection writes, where each client reads. It draws on a canvas, all maps in one
 * frame; between two snapshots a writer moves on at the speed that it had, so that nothing jumps. It says the same as a text.
 */
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { percent, size } from "../format.js";

/** @typedef {import("../live.js").Status["fills"][number]} Fill */
/** @typedef {{ readonly context: CanvasRenderingContext2D, fill: Fill, since: number, before: readonly number[] }} Drawn */

/** @type {Map<HTMLCanvasElement, Drawn>} */
const maps = new Map();
/** Colours are read from the style once for each frame that needs them anew. */
let colours = { served: "", fetched: "", raised: "", text: "" };
let frame = 0;

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const MARK_HEIGHT = 6;
/** A snapshot comes each second. */
const STEP_MS = 1_000;

function readColours() {
  const probe = document.createElement("i");
  document.body.append(probe);
  /** @param {string} name */
  const resolved = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  colours = {
    served: resolved("--served"),
    fetched: resolved("--fetched"),
    raised: resolved("--raised"),
    text: resolved("--text"),
  };
  probe.remove();
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readColours();
  wake();
});

function wake() {
  if (frame === 0) frame = requestAnimationFrame(drawAll);
}

/** @param {number} now */
function drawAll(now) {
  frame = 0;
  if (colours.text === "") readColours();
  let isMoving = false;
  for (const [canvas, drawn] of maps) {
    const part = calm.matches ? 1 : Math.min(1, (now - drawn.since) / STEP_MS);
    draw(canvas, drawn, part);
    isMoving ||= part < 1 && drawn.fill.lanesAt.length > 0;
  }
  if (isMoving) wake();
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Drawn} drawn
 * @param {number} part how much of the time between two snapshots is over: 0 to 1
 */
function draw(canvas, { context, fill, before }, part) {
  const scale = devicePixelRatio;
  const width = Math.round(canvas.clientWidth * scale);
  const height = Math.round(canvas.clientHeight * scale);
  if (width === 0) return;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const mark = MARK_HEIGHT * scale;
  const top = mark;
  const bottom = height - mark;
  const whole = Math.max(1, fill.size);
  /** @param {number} at */
  const x = (at) => (at / whole) * width;
  context.clearRect(0, 0, width, height);
  context.fillStyle = colours.raised;
  context.fillRect(0, top, width, bottom - top);
  context.fillStyle = colours.served;
  for (const { start, end } of fill.runs) {
    // What is here is never invisible, what is missing neither: at least half a pixel each.
    const left = x(start);
    context.fillRect(left, top, Math.max(0.5 * scale, x(end) - left), bottom - top);
  }
  context.fillStyle = colours.fetched;
  for (const [index, at] of fill.lanesAt.entries()) {
    const from = before[index] ?? at;
    // A lane that begins elsewhere does not fly there.
    const shown = at >= from && at - from < whole / 4 ? from + (at - from) * part : at;
    triangle(context, x(shown), 0, mark, top + 1 * scale);
    context.fillRect(x(shown) - 0.75 * scale, top, 1.5 * scale, bottom - top);
  }
  context.fillStyle = colours.text;
  for (const at of fill.readersAt) triangle(context, x(at), height, mark, bottom - 1 * scale);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} base
 * @param {number} half
 * @param {number} tip
 */
function triangle(context, x, base, half, tip) {
  context.beginPath();
  context.moveTo(x - half * 0.7, base);
  context.lineTo(x + half * 0.7, base);
  context.lineTo(x, tip);
  context.fill();
}

/** @param {{ readonly fill: Fill }} props */
export function BlobMap({ fill }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (element === null || context === null || context === undefined) return;
    maps.set(element, { context, fill, since: performance.now(), before: [] });
    const watcher = new ResizeObserver(wake);
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      maps.delete(element);
    };
  }, []);
  useEffect(() => {
    const drawn = canvas.current === null ? undefined : maps.get(canvas.current);
    if (drawn === undefined) return;
    drawn.before = drawn.fill.lanesAt;
    drawn.fill = fill;
    drawn.since = performance.now();
    wake();
  }, [fill]);
  return html`<canvas ref=${canvas} role="img" aria-label=${spoken(fill)}></canvas>`;
}

/** @param {Fill} fill */
function spoken({ size: all, present, lanes, readers, waits, runs }) {
  const pieces = runs.length > 1 ? ` in ${runs.length} pieces` : "";
  const waiting = waits > 0 ? `, ${waits} of them wait for bytes` : "";
  return `${percent(present, all) || size(present)} is here${pieces}; ${lanes} connections write, ${readers} clients read${waiting}`;
}
