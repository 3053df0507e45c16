/** Owns the map of a blob as it is drawn for people: which parts of it are here, in a bounded number of runs. Pure. */
import type { ByteRange } from "../bytes/byte-range.ts";

/** Wide enough for a screen, and small enough for two hundred fills in one snapshot. */
const MOST_RUNS = 200;

/**
 * The runs of `present` in a blob of `size` bytes. Beyond MOST_RUNS they are drawn on a grid: runs in one cell become one, so gaps that nobody
 * could see are left out.
 */
export function drawnRuns(present: Iterable<ByteRange>, size: number): readonly ByteRange[] {
  const exact: ByteRange[] = [];
  for (const range of present) {
    exact.push(range);
    if (exact.length > MOST_RUNS) return onGrid(present, Math.ceil(size / MOST_RUNS));
  }
  return exact;
}

/** Runs closer together than one cell of `cell` bytes are one; there can be no more of them than cells. */
function onGrid(present: Iterable<ByteRange>, cell: number): readonly ByteRange[] {
  const drawn: { start: number; end: number }[] = [];
  for (const { start, end } of present) {
    const last = drawn.at(-1);
    if (last !== undefined && Math.floor(start / cell) <= Math.floor(last.end / cell)) last.end = end;
    else drawn.push({ start, end });
  }
  return drawn;
}
