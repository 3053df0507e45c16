/**
 * Owns the map of a blob on one line of a terminal: what is here, where connections write, where clients read. A cell stands for an equal
 * part of the blob. Pure.
 */
import type { Status } from "../../../http/admin/routes/status-routes.ts";

type Mapped = Pick<Status["fills"][number], "size" | "runs" | "cells" | "lanesAt" | "readersAt">;

export const MAP_LEGEND = "# here, + in part, . not yet, > is being fetched, | is being read";

/** "[####>..|.+>..]", `width` wide with its brackets; empty where there is no room for one. */
export function fillMap({ size, runs, cells: exact, lanesAt, readersAt }: Mapped, width: number): string {
  const count = width - 2;
  if (count < 4 || size <= 0) return "";
  const present = new Array<number>(count).fill(0);
  const cell = size / count;
  for (const { start, end } of exact === undefined ? runs : runsOf(exact, size)) {
    for (let at = cellOf(start, cell, count); at < count && at * cell < end; at++) {
      const here = Math.min(end, (at + 1) * cell) - Math.max(start, at * cell);
      present[at] = (present[at] ?? 0) + Math.max(0, here);
    }
  }
  const cells: string[] = present.map((bytes) => (bytes >= cell * 0.99 ? "#" : bytes > 0 ? "+" : "."));
  for (const at of readersAt) cells[cellOf(at, cell, count)] = "|";
  for (const at of lanesAt) cells[cellOf(at, cell, count)] = ">";
  return `[${cells.join("")}]`;
}

/** A cell of which a part is here counts half. */
function* runsOf(exact: string, size: number) {
  const wide = size / exact.length;
  for (const [at, sign] of [...exact].entries())
    if (sign !== ".") yield { start: at * wide, end: (at + (sign === "#" ? 1 : 0.5)) * wide };
}

function cellOf(offset: number, cell: number, count: number): number {
  return Math.min(count - 1, Math.max(0, Math.floor(offset / cell)));
}
