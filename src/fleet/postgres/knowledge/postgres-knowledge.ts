/** Owns the Knowledge driver over a fleet's database: each kind of row from its own file. What one node writes, all others read. */
import type { Knowledge } from "../../../metadata/metadata.ts";
import type { FleetDatabase } from "../fleet-database.ts";
import { importRows } from "./import-rows.ts";
import { linkRows } from "./link-rows.ts";
import { listRows } from "./list-rows.ts";
import { manifestRows } from "./manifest-rows.ts";
import { tagRows } from "./tag-rows.ts";
import { visibilityRows } from "./visibility-rows.ts";

/**
 * Everything in it throws `fleet-unavailable` while the database does not answer, `store-damaged` for what its tables do not take, and `closed`
 * once `database` was closed.
 */
export function postgresKnowledge(database: FleetDatabase): Knowledge {
  return {
    ...manifestRows(database),
    ...tagRows(database),
    ...importRows(database),
    ...linkRows(database),
    ...visibilityRows(database),
    ...listRows(database),
  };
}
