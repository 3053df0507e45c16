/** Owns tables whose columns say themselves what they show of a row. How a table looks is table.ts's. Pure. */
import { formatTable } from "../table.ts";

export type RowColumn<Row> = {
  readonly head: string;
  /** Numbers stand at the right. */
  readonly isNumber?: boolean;
  /** undefined and "" are shown as nothing. */
  readonly value: (row: Row) => string | undefined;
};

/** The lines of the table; none without rows. */
export function tableLines<Row>(rows: readonly Row[], columns: readonly RowColumn<Row>[]): string[] {
  if (rows.length === 0) return [];
  const titles = columns.map(({ head, isNumber = false }) => {
    return { title: head, align: isNumber ? "right" : "left" } as const;
  });
  return formatTable(
    titles,
    rows.map((row) => columns.map(({ value }) => value(row) ?? "")),
  ).split("\n");
}
