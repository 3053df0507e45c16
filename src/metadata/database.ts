/**
 * Owns what lies in the one database file of a storage directory: the Metadata, and beside it a port for each other kind of rows, all over
 * one connection. A new kind of rows has a file of its own and becomes a field here. How the file is opened is sqlite-file.ts's.
 */

import { type ContentRemoval, contentRemoval } from "./content-removal.ts";
import { type ContentRows, contentRows } from "./content-rows.ts";
import { type DatabaseBound, databaseBound } from "./database-bound.ts";
import { type JobRows, jobRows } from "./job-rows.ts";
import type { KnowledgeCopies, Metadata } from "./metadata.ts";
import { type RecordRows, recordRows } from "./record-rows.ts";
import { type RuleRows, ruleRows } from "./rule-rows.ts";
import { type SightingRows, sightingRows } from "./sighting-rows.ts";
import { SqliteFile } from "./sqlite-file.ts";
import { sqliteMetadata } from "./sqlite-metadata.ts";

export type Database = {
  readonly metadata: Metadata & KnowledgeCopies;
  readonly jobs: JobRows;
  readonly contents: ContentRows & ContentRemoval;
  readonly rules: RuleRows;
  readonly sightings: SightingRows;
  readonly records: RecordRows;
  /** How large the rows of the Metadata may become, and what of them must stay. */
  readonly bound: DatabaseBound;
  /** Closes the file, and with it every port above; `metadata.close` does the same. Nothing of them may be called after it. */
  close(): Promise<void>;
};

/**
 * Opens `path`, which is created when absent, and keeps its lock until `close`: that is the lock of the storage directory. Throws
 * `store-damaged` for a damaged or newer file, which is left as it is, `store-full` when a new one has no room, and `config-invalid`
 * when another process has it or it cannot be written. Beyond `maxBytes` the coldest rows of the Metadata are deleted, except those of blobs
 * and what is spared; beyond `mostBytes` also what is spared.
 */
export function openDatabase(
  path: string,
  maxBytes = Number.POSITIVE_INFINITY,
  mostBytes = Number.POSITIVE_INFINITY,
): Database {
  const file = new SqliteFile(path);
  const bound = databaseBound(file, { maxBytes, mostBytes });
  return {
    bound,
    metadata: sqliteMetadata(file, bound),
    jobs: jobRows(file),
    contents: { ...contentRows(file), ...contentRemoval(file) },
    rules: ruleRows(file),
    sightings: sightingRows(file),
    records: recordRows(file, () => bound.maxBytes),
    close: async () => file.close(),
  };
}
