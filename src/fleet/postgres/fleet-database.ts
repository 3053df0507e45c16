/**
 * Owns what the rest of this room may ask of the fleet's database: queries, transactions, and whether it answers at all. Types only. Which
 * package talks to the server, and how its failures are read, is connection.ts's.
 */

/**
 * What a query is given for `$1`, `$2`, ... Arrays are for `$1::text[]`, `$1::bigint[]` and the like. JSON goes in as its text, for
 * `$1::jsonb`. Moments go in as epoch ms, for `to_timestamp($1::float8 / 1000)`.
 */
export type FleetValue =
  | string
  | number
  | boolean
  | null
  | Uint8Array
  | readonly (string | number | boolean | null)[];

/**
 * One statement, and its rows. Columns of bigint and numeric come as numbers, bytea as a Buffer, jsonb parsed, timestamptz as a Date, and what
 * is null as null. `Row` states what the statement gives.
 *
 * Throws `fleet-unavailable` when the database does not answer within a few seconds or refuses, and at once while it is known not to answer;
 * `store-damaged` when these values are at fault and another try would not help; `closed` after `close`.
 */
export type FleetQuery = <Row extends object = never>(
  text: string,
  values?: readonly FleetValue[],
) => Promise<Row[]>;

export interface FleetDatabase {
  readonly query: FleetQuery;
  /**
   * False from the moment that it could not be reached twice until it was reached again. It is looked for by whoever asks, at most once a second;
   * one connection that was lost changes nothing, though questions fail at once until another one works.
   */
  readonly isAnswering: boolean;
  /** Hears when `isAnswering` changes. Returns how to stop. The listener must not throw. */
  onAnswering(listener: (isAnswering: boolean) => void): () => void;
  /**
   * All that `work` asks by its own `query` is done, or nothing of it. It may run again when the database ended it for the sake of another
   * transaction, so it must do nothing else. Throws what `work` throws, and what `query` does.
   */
  inTransaction<T>(work: (query: FleetQuery) => Promise<T>): Promise<T>;
  /** Ends running queries after a second. Idempotent. */
  close(): Promise<void>;
}
