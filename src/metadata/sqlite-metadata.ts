/**
 * Owns the Metadata driver over SQLite: each kind of row from its own file, all of them over one connection. How the file is opened
 * and kept is sqlite-file.ts's, and what else lies in it is database.ts's.
 */
import { isGranaryError } from "../errors.ts";
import { blobRows } from "./blob-rows.ts";
import type { DatabaseBound } from "./database-bound.ts";
import { importRows } from "./import-rows.ts";
import { linkRows } from "./link-rows.ts";
import { listRows } from "./list-rows.ts";
import { manifestRows } from "./manifest-rows.ts";
import type { KnowledgeCopies, Metadata } from "./metadata.ts";
import type { SqliteFile } from "./sqlite-file.ts";
import { tagRows } from "./tag-rows.ts";
import { visibilityRows } from "./visibility-rows.ts";

/** The Metadata in `file`; its `close` closes the file. Beyond `bound` the coldest rows are deleted, except those of blobs. */
export function sqliteMetadata(file: SqliteFile, bound: DatabaseBound): Metadata & KnowledgeCopies {
  const links = linkRows(file);
  const manifests = manifestRows(file, links);
  const tags = tagRows(file);
  const rows = {
    ...blobRows(file),
    ...manifests,
    ...tags,
    ...importRows(file, { links, manifests, tags }),
    ...listRows(file),
    ...visibilityRows(file),
    recordLink: links.recordLink,
    link: links.link,
  };
  /** For rows that clients cause by what they ask for; blobs are limited by the disk budget. */
  const bounded = <A extends readonly unknown[]>(write: (...values: A) => Promise<void>) => {
    return async (...values: A) => {
      await write(...values);
      shrinkTo(bound);
    };
  };
  return {
    ...rows,
    keepManifest: bounded(rows.keepManifest),
    recordManifest: bounded(rows.recordManifest),
    recordImport: bounded(rows.recordImport),
    recordTag: bounded(rows.recordTag),
    recordLink: bounded(rows.recordLink),
    recordList: bounded(rows.recordList),
    recordVisibility: bounded(rows.recordVisibility),
    size: async () => bound.used(),
    putBack: async () => file.putBack(),
    close: async () => file.close(),
  };
}

/** The row is written; where others could not be deleted, the next write tries again. */
function shrinkTo(bound: DatabaseBound): void {
  try {
    bound.shrink();
  } catch (error) {
    if (!isGranaryError(error)) throw error;
  }
}
