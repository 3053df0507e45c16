/** Owns the composition of what all nodes of a fleet know: each kind of rows of the shared database over this node's own. */
import type { Database } from "../metadata/database.ts";
import type { Journal } from "./journal.ts";
import { sharedContents } from "./knowledge/shared-contents.ts";
import { type SharedParts, sharedMetadata } from "./knowledge/shared-metadata.ts";
import { sharedRules } from "./knowledge/shared-rules.ts";
import { sharedSightings } from "./knowledge/shared-sightings.ts";
import { fleetRemoval } from "./postgres/contents/content-removal.ts";
import { fleetContents } from "./postgres/contents/content-rows.ts";
import { fleetRules } from "./postgres/contents/rule-rows.ts";
import { fleetSightings } from "./postgres/contents/sighting-rows.ts";
import type { FleetDatabase } from "./postgres/fleet-database.ts";
import { postgresKnowledge } from "./postgres/knowledge/postgres-knowledge.ts";

/** Both databases are the caller's to close. */
export function knownByAll(
  database: FleetDatabase,
  local: Pick<Database, "metadata" | "contents" | "rules" | "sightings">,
  journal: Pick<Journal, "tell">,
  hearing: Pick<SharedParts, "log" | "clock" | "used" | "imported">,
) {
  const shared = { ...fleetContents(database), ...fleetRemoval(database) };
  const { metadata } = local;
  return {
    metadata: sharedMetadata({
      ...hearing,
      local: metadata,
      copies: metadata,
      shared: postgresKnowledge(database),
    }),
    contents: sharedContents({ local: local.contents, shared, journal }),
    rules: sharedRules({ local: local.rules, shared: fleetRules(database), journal }),
    sightings: sharedSightings(local.sightings, fleetSightings(database)),
  };
}
