/**
 * Owns how much of a blob each column of its map stands for is here. A column is one pixel of the screen, and what it says is exact: it is
 * whole only when each of its bytes is here, and empty only when none is. Pure.
 */

/**
 * What the map of a fill is drawn from. `cells` is there instead of exact runs where there are too many of them: a text of equal parts of the
 * blob, of which all ("#"), some ("+") or nothing (".") is here.
 * @typedef {object} Mapped
 * @property {string} state
 * @property {number} size bytes; what is present while nobody knows the size
 * @property {number} present bytes
 * @property {readonly { readonly start: number, readonly end: number }[]} runs
 * @property {string | undefined} [cells]
 * @property {readonly number[]} lanesAt
 * @property {readonly number[]} readersAt
 */

export const NOTHING = 0;
export const WHOLE = 255;
/** So much of a column may be lost in calculating: far less than one byte in a blob of a terabyte. */
const ROUNDING = 1e-10;

/**
 * A fill leaves these states as soon as its last byte is here: before that, a size that equals what is here is none.
 * @param {Pick<Mapped, "state" | "size" | "present">} fill
 */
export function isSizeKnown({ state, size, present }) {
  return size > 0 && (present < size || (state !== "filling" && state !== "opening"));
}

/**
 * For each column NOTHING, WHOLE, or a number between them for a part.
 * @param {Mapped} fill
 * @param {number} width
 */
export function columnsOf(fill, width) {
  const columns = new Uint8Array(width);
  // How large the part is that is here, nobody knows.
  if (!isSizeKnown(fill)) return columns.fill(fill.present > 0 ? WHOLE >> 1 : NOTHING);
  const shares = new Float64Array(width);
  for (const { start, end, share } of partsOf(fill))
    add(shares, (start / fill.size) * width, (end / fill.size) * width, share);
  for (const [index, share] of shares.entries()) columns[index] = level(share);
  return columns;
}

/** @param {number} share */
function level(share) {
  if (share <= 0) return NOTHING;
  if (share >= 1 - ROUNDING) return WHOLE;
  return 1 + Math.floor(share * (WHOLE - 2));
}

/**
 * @param {Mapped} fill
 * @returns {Iterable<{ readonly start: number, readonly end: number, readonly share: number }>}
 */
function* partsOf({ runs, cells, size }) {
  if (cells === undefined) for (const run of runs) yield { ...run, share: 1 };
  else
    for (let at = 0; at < cells.length; at += 1)
      if (cells[at] !== ".")
        yield {
          start: (at / cells.length) * size,
          end: ((at + 1) / cells.length) * size,
          share: cells[at] === "#" ? 1 : 0.5,
        };
}

/**
 * @param {Float64Array} shares
 * @param {number} from in columns
 * @param {number} to in columns
 * @param {number} share
 */
function add(shares, from, to, share) {
  const last = Math.min(shares.length, Math.ceil(to));
  for (let column = Math.max(0, Math.floor(from)); column < last; column += 1) {
    const here = Math.min(to, column + 1) - Math.max(from, column);
    shares[column] = (shares[column] ?? 0) + Math.max(0, here) * share;
  }
}

/**
 * Whether the byte at `at` is here. In a cell of which a part is here, nobody knows: then it counts as here.
 * @param {Mapped} fill
 * @param {number} at
 */
export function isHere({ runs, cells, size }, at) {
  if (at >= size) return true;
  if (cells === undefined) return runs.some(({ start, end }) => start <= at && at < end);
  return cells[Math.floor((at / size) * cells.length)] !== ".";
}
