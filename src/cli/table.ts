/**
 * Owns tables on a terminal: columns that are aligned, numbers to the right, and the last column as it is. Names stand last, because they are
 * never cut or broken, so that each can be copied. Pure.
 */
import { visibleLine } from "../observe/visible-text.ts";

export type Column = { readonly title: string; readonly align?: "left" | "right" };

const GAP = "  ";

/** A line for the titles and one for each row; a column without any text is left out. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => columns.map((_, index) => visibleLine(row[index] ?? "")));
  const widths = columns.map(({ title }, index) => {
    const texts = shown.map((row) => row[index] ?? "");
    return texts.every((text) => text === "")
      ? 0
      : Math.max(title.length, ...texts.map((text) => text.length));
  });
  const last = widths.findLastIndex((width) => width > 0);
  const line = (cells: readonly string[]) =>
    cells
      .flatMap((cell, index) => (widths[index] === 0 ? [] : [padded(cell, index)]))
      .join(GAP)
      .trimEnd();
  const padded = (cell: string, index: number) => {
    const width = widths[index] ?? 0;
    if (columns[index]?.align === "right") return cell.padStart(width);
    return index === last ? cell : cell.padEnd(width);
  };
  return [columns.map(({ title }) => title), ...shown].map(line).join("\n");
}
