/**
 * Owns one map on its canvas. What is here is drawn once for each snapshot, into an image of one row; a frame stretches that, and puts the marks
 * on it. A frame in which no mark would move by a pixel draws nothing.
 */
import { columnsOf } from "./map-columns.js";
import { laneMoves, readerMoves } from "./map-moves.js";

/** @typedef {import("./map-columns.js").Mapped} Mapped */
/** @typedef {import("./map-colours.js").MapColours} MapColours */

/** The marks above and below the bar, in pixels of the style. */
const MARK = 6;
/** A snapshot comes each second: what it says of moves is shown over that time. */
const STEP_MS = 1_000;
/** How strongly the bytes of the last second are coloured as those of their connection. */
const TRAIL = 0.6;

export class MapPainter {
  #canvas;
  #context;
  /** @type {OffscreenCanvas | undefined} */
  #row;
  /** @type {Mapped | undefined} */
  #fill;
  /** @type {ReturnType<typeof laneMoves>} */
  #lanes = [];
  /** @type {ReturnType<typeof readerMoves>} */
  #readers = [];
  #since = 0;
  #drawn = "";

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
  }

  /**
   * A new snapshot. True when there is anything new to draw.
   * @param {Mapped} fill
   * @param {number} now of performance.now()
   */
  show(fill, now) {
    const before = this.#fill;
    this.#fill = fill;
    if (before !== undefined && isSame(before, fill)) return false;
    this.#lanes = laneMoves(fill, before);
    this.#readers = readerMoves(fill, before);
    this.#since = now;
    this.repaint();
    return true;
  }

  /** In pixels of the screen. @param {number} width @param {number} height */
  resize(width, height) {
    this.#canvas.width = width;
    this.#canvas.height = height;
    this.repaint();
  }

  /** Everything is drawn anew in the next frame. */
  repaint() {
    this.#row = undefined;
    this.#drawn = "";
  }

  /**
   * Returns whether it will look different in a moment.
   * @param {number} now of performance.now()
   * @param {MapColours} colours
   * @param {boolean} isCalm nothing may move
   */
  paint(now, colours, isCalm) {
    const { width } = this.#canvas;
    const fill = this.#fill;
    if (fill === undefined || width === 0) return false;
    const part = isCalm ? 1 : Math.min(1, Math.max(0, (now - this.#since) / STEP_MS));
    const x = (/** @type {number} */ at) => Math.round((at / Math.max(1, fill.size)) * width);
    const shown = (/** @type {{ from: number, to: number }} */ { from, to }) => x(from + (to - from) * part);
    const lanes = this.#lanes.map(shown);
    const readers = this.#readers.map(shown);
    const looks = `${lanes}/${readers}`;
    if (looks !== this.#drawn || this.#row === undefined) {
      this.#drawn = looks;
      this.#draw(fill, { lanes, readers, x }, colours);
    }
    return part < 1 && [...this.#lanes, ...this.#readers].some(({ from, to }) => x(from) !== x(to));
  }

  /**
   * @param {Mapped} fill
   * @param {{ readonly lanes: readonly number[], readonly readers: readonly number[], readonly x: (at: number) => number }} marks
   * @param {MapColours} colours
   */
  #draw(fill, { lanes, readers, x }, colours) {
    const context = this.#context;
    if (context === null) return;
    const { width, height } = this.#canvas;
    const scale = devicePixelRatio;
    const mark = Math.round(MARK * scale);
    const bar = height - 2 * mark;
    this.#row ??= rowOf(columnsOf(fill, width), colours.levels);
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#row, 0, mark, width, bar);
    for (const [index, { from, to }] of this.#lanes.entries()) {
      const head = lanes[index] ?? x(to);
      // What came in this second comes in before the eyes of the reader.
      context.fillStyle = colours.missing;
      if (head < x(to)) context.fillRect(head, mark, x(to) - head, bar);
      context.fillStyle = colours.lane;
      context.globalAlpha = TRAIL;
      if (x(from) < head) context.fillRect(x(from), mark, head - x(from), bar);
      context.globalAlpha = 1;
      const thick = Math.max(1, Math.round(1.5 * scale));
      context.fillRect(within(head - Math.floor(thick / 2), width - thick), mark, thick, bar);
      triangle(context, within(head, width), 0, mark, Math.round(0.7 * mark));
      context.fill();
    }
    context.fillStyle = colours.reader;
    context.strokeStyle = colours.reader;
    context.lineWidth = scale;
    for (const [index, { isWaiting }] of this.#readers.entries()) {
      triangle(
        context,
        within(readers[index] ?? 0, width),
        height - scale / 2,
        height - mark,
        Math.round(0.7 * mark),
      );
      if (isWaiting) context.stroke();
      else context.fill();
    }
  }
}

/** @param {number} at @param {number} most */
function within(at, most) {
  return Math.min(most, Math.max(0, at));
}

/**
 * @param {Uint8Array} columns
 * @param {Uint32Array} levels
 */
function rowOf(columns, levels) {
  const row = new OffscreenCanvas(columns.length, 1);
  const context = row.getContext("2d");
  const image = new ImageData(columns.length, 1);
  const pixels = new Uint32Array(image.data.buffer);
  for (const [index, level] of columns.entries()) pixels[index] = levels[level] ?? 0;
  context?.putImageData(image, 0, 0);
  return row;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} base
 * @param {number} tip
 * @param {number} half
 */
function triangle(context, x, base, tip, half) {
  context.beginPath();
  context.moveTo(x - half, base);
  context.lineTo(x + half, base);
  context.lineTo(x, tip);
  context.closePath();
}

/** @param {Mapped} one @param {Mapped} other */
function isSame(one, other) {
  return (
    one.present === other.present &&
    one.size === other.size &&
    one.state === other.state &&
    one.cells === other.cells &&
    `${one.lanesAt}/${one.readersAt}` === `${other.lanesAt}/${other.readersAt}` &&
    // As many bytes can be other ones, where damaged ones were given up.
    one.runs.length === other.runs.length &&
    one.runs.every(
      ({ start, end }, index) => start === other.runs[index]?.start && end === other.runs[index]?.end,
    )
  );
}
