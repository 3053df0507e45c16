/**
 * Owns the few calls that the rows files need of a synchronous SQL database, so that only sqlite-file.ts knows the
 * driver. Implementations throw GranaryErrors: `closed`, `store-full`, `store-damaged`.
 */

export type SqlValue = string | number | Uint8Array | null;

export interface SqlStatement<Row> {
  run(...values: readonly SqlValue[]): void;
  get(...values: readonly SqlValue[]): Row | undefined;
  all(...values: readonly SqlValue[]): Row[];
}

export interface SqlDatabase {
  /** Compiles once; keep the result. `Row` states what the query selects. */
  prepare<Row = never>(sql: string): SqlStatement<Row>;
  /** Runs `work` in one transaction: all of it is written, or nothing. */
  inTransaction(work: () => void): void;
}
