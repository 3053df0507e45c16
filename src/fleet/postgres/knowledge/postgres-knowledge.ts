/** Owns the Knowledge driver over a fleet's database: each kind of row from its own file. What one node writes, all others read. */
import type { Knowledge } from "../../../metadata/metadata.ts";
import type { FleetDatabase } from "../fleet-database.ts";
import { fleetImports } from "./import-rows.ts";
import { fleetLinks } from "./link-rows.ts";
import { fleetLists } from "./list-rows.ts";
import { fleetManifests } from "./manifest-rows.ts";
import { fleetTags } from "./tag-rows.ts";
import { fleetVisibilities } from "./visibility-rows.ts";

/**
 * Everything in it throws `fleet-unavailable` while the database does not answer, `store-damaged` for what its tables do not take, and `closed`
 * once `database` was closed.
 */
export function postgresKnowledge(database: FleetDatabase): Knowledge {
  return {
    ...fleetManifests(database),
    ...fleetTags(database),
    ...fleetImports(database),
    ...fleetLinks(database),
    ...fleetVisibilities(database),
    ...fleetLists(database),
  };
}
