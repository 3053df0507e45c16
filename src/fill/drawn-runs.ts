/** Owns the map of a blob as it is drawn for people: which parts of it are here, in a bounded number of runs. Pure. */
import type { ByteRange } from "../bytes/byte-range.ts";
import { drawnCells } from "./drawn-cells.ts";

export type DrawnMap = {
  /** All of them where they are few; else on a grid, on which small gaps are not there. */
  readonly runs: readonly ByteRange[];
  /** Where the runs are on a grid: what a wide screen can show, see drawn-cells.ts. */
  readonly cells: string | undefined;
};

/** Wide enough for a screen, and small enough for two hundred fills in one snapshot. */
const MOST_RUNS = 200;
/** Beside cells, which say more. */
const FEW_RUNS = 50;

/** The map of a blob of `size` bytes of which these sorted runs, which do not touch each other, are here. */
export function drawnMap(runs: readonly ByteRange[], size: number): DrawnMap {
  if (runs.length <= MOST_RUNS) return { runs, cells: undefined };
  return { runs: onGrid(runs, Math.ceil(size / FEW_RUNS)), cells: drawnCells(runs, size) };
}

/** Runs closer together than one cell of `cell` bytes are one; there can be no more of them than cells. */
function onGrid(present: readonly ByteRange[], cell: number): readonly ByteRange[] {
  const drawn: { start: number; end: number }[] = [];
  /** Where the cell ends that the last run ends in. */
  let until = -1;
  for (const { start, end } of present) {
    const last = drawn.at(-1);
    if (last !== undefined && start < until) last.end = end;
    else drawn.push({ start, end });
    if (end >= until) until = (Math.floor(end / cell) + 1) * cell;
  }
  return drawn;
}
