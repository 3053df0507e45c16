/**
 * Owns when maps are drawn: all in one frame of the browser, only those that can be seen, and only while something on them moves. With
 * prefers-reduced-motion each snapshot is drawn once, and nothing moves between two of them.
 */
import { mapColours, onSchemeChange } from "./map-colours.js";
import { MapPainter } from "./map-painter.js";

/** @type {Map<Element, { readonly painter: MapPainter, isSeen: boolean }>} */
const maps = new Map();
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let frame = 0;

const inView = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const map = maps.get(target);
    if (map === undefined) continue;
    map.isSeen = isIntersecting;
    if (isIntersecting) wake();
  }
});

const sizes = new ResizeObserver((entries) => {
  for (const { target, devicePixelContentBoxSize: [exact] = [], contentRect } of entries) {
    const { inlineSize: width, blockSize: height } = exact ?? {
      inlineSize: Math.round(contentRect.width * devicePixelRatio),
      blockSize: Math.round(contentRect.height * devicePixelRatio),
    };
    const painter = maps.get(target)?.painter;
    painter?.resize(width, height);
    // In this frame, and seen or not: a canvas whose size was changed is empty, and a page that is printed shows all of it.
    painter?.paint(performance.now(), mapColours(), calm.matches);
  }
  wake();
});

function repaintAll() {
  for (const { painter } of maps.values()) painter.repaint();
  wake();
}
onSchemeChange(repaintAll);
calm.addEventListener("change", wake);
document.addEventListener("visibilitychange", wake);

function wake() {
  if (frame === 0 && !document.hidden) frame = requestAnimationFrame(drawAll);
}

/** @param {number} now */
function drawAll(now) {
  cancelAnimationFrame(frame);
  frame = 0;
  let isMoving = false;
  for (const { painter, isSeen } of maps.values())
    if (isSeen) isMoving = painter.paint(now, mapColours(), calm.matches) || isMoving;
  if (isMoving) wake();
}

/**
 * Draws the map of a fill on `canvas` from now on. `show` gives it the next snapshot, `end` takes it off.
 * @param {HTMLCanvasElement} canvas
 */
export function startMap(canvas) {
  const painter = new MapPainter(canvas);
  maps.set(canvas, { painter, isSeen: false });
  inView.observe(canvas);
  sizes.observe(canvas);
  return {
    /** @param {import("./map-columns.js").Mapped} fill */
    show(fill) {
      if (painter.show(fill, performance.now())) wake();
    },
    end() {
      inView.unobserve(canvas);
      sizes.unobserve(canvas);
      maps.delete(canvas);
    },
  };
}
