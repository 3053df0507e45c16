/**
 * Owns the Metadata driver over SQLite: each kind of row from its own file, all of them over one connection. How the file is opened
 * and kept is sqlite-file.ts's.
 */
import { blobRows } from "./blob-rows.ts";
import { linkRows } from "./link-rows.ts";
import { listRows } from "./list-rows.ts";
import { manifestRows } from "./manifest-rows.ts";
import type { Metadata } from "./metadata.ts";
import { SqliteFile } from "./sqlite-file.ts";
import { tagRows } from "./tag-rows.ts";
import { visibilityRows } from "./visibility-rows.ts";

/**
 * Opens `path`, creating it when absent, and holds it until `close`: this is the lock of the directory it lies in. Throws
 * `store-damaged` for a damaged or newer file, which is left as it is, `store-full` when a new one has no room, and `config-invalid`
 * when anybody else holds it or it cannot be written.
 */
export function openSqliteMetadata(path: string): Metadata {
  const file = new SqliteFile(path);
  const links = linkRows(file);
  const { recordLink, link } = links;
  return {
    ...blobRows(file),
    ...manifestRows(file, links),
    ...tagRows(file),
    ...listRows(file),
    ...visibilityRows(file),
    recordLink,
    link,
    putBack: async () => file.putBack(),
    close: async () => file.close(),
  };
}
