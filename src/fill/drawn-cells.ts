/**
 * Owns the map of a blob of which many scattered parts are here: one character for each of its equal cells. It is bounded by its cells, however
 * many parts there are, and exact in each: nothing that is missing looks present, nor the other way round. Pure.
 */
import type { ByteRange } from "../bytes/byte-range.ts";

/** As many as a wide screen has pixels; as text they take no more than fifty runs do. */
const MOST_CELLS = 2_000;

const NOTHING = ".".charCodeAt(0);
const PART = "+".charCodeAt(0);
const ALL = "#".charCodeAt(0);

/**
 * "..##+.": of each cell nothing (.), a part (+) or all (#) is here. Of `count` cells, cell `i` has the bytes from `i * size / count` to
 * `(i + 1) * size / count`, both rounded down. `present` are sorted runs that do not touch each other, in a blob of `size` bytes.
 */
export function drawnCells(present: readonly ByteRange[], size: number): string {
  const count = Math.min(MOST_CELLS, size);
  const cells = Buffer.alloc(count, NOTHING);
  const startOf = (cell: number) => Math.floor((cell * size) / count);
  let cell = 0;
  // Runs come in order, and a cell is never looked at twice but where one run ends in it and the next begins.
  for (const { start, end } of present) {
    cell = Math.max(cell, Math.floor((start * count) / size) - 1);
    while (startOf(cell + 1) <= start) cell += 1;
    if (startOf(cell) < start) {
      cells[cell] = PART;
      cell += 1;
    }
    while (cell < count && startOf(cell + 1) <= end) cells[cell++] = ALL;
    if (cell < count && startOf(cell) < end) cells[cell] = PART;
  }
  return cells.toString("latin1");
}
