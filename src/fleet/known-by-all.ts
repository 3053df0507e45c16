/** Owns the composition of what all nodes of a fleet know: each kind of rows of the shared database over this node's own. */
import type { Database } from "../metadata/database.ts";
import type { Journal } from "./journal.ts";
import { sharedContents } from "./knowledge/shared-contents.ts";
import { type SharedParts, sharedMetadata } from "./knowledge/shared-metadata.ts";
import { sharedRules } from "./knowledge/shared-rules.ts";
import { sharedSightings } from "./knowledge/shared-sightings.ts";
import { type UnneededNamesParts, unneededNames } from "./knowledge/unneeded-names.ts";
import { fleetRemoval } from "./postgres/contents/content-removal.ts";
import { fleetContents } from "./postgres/contents/content-rows.ts";
import { dateOf } from "./postgres/contents/manifest-uses.ts";
import { fleetRules } from "./postgres/contents/rule-rows.ts";
import { fleetSightings } from "./postgres/contents/sighting-rows.ts";
import type { FleetDatabase } from "./postgres/fleet-database.ts";
import { postgresKnowledge } from "./postgres/knowledge/postgres-knowledge.ts";

/** Both databases are the caller's to close. */
export function knownByAll(
  database: FleetDatabase,
  local: Pick<Database, "metadata" | "contents" | "rules" | "sightings">,
  journal: Pick<Journal, "tell">,
  {
    leads,
    ...hearing
  }: Pick<SharedParts, "log" | "clock" | "used" | "imported"> & Pick<UnneededNamesParts, "leads">,
) {
  const shared = { ...fleetContents(database), ...fleetRemoval(database) };
  const { metadata } = local;
  const { clock } = hearing;
  const contents = sharedContents({ local: local.contents, shared, journal });
  return {
    metadata: sharedMetadata({
      ...hearing,
      local: metadata,
      copies: metadata,
      shared: postgresKnowledge(database),
    }),
    contents,
    unneeded: unneededNames({
      ...{ local: local.contents, shared, both: contents },
      ...{ leads, clock, date: () => dateOf(database) },
    }),
    rules: sharedRules({ local: local.rules, shared: fleetRules(database), journal }),
    sightings: sharedSightings(local.sightings, fleetSightings(database)),
  };
}
