/** Owns the rows of `visibility`: which repositories could be read without credentials when one of the nodes probed that last. */
import type { Knowledge, Visibility } from "../../../metadata/metadata.ts";
import type { FleetDatabase } from "../fleet-database.ts";

export function fleetVisibilities(
  database: FleetDatabase,
): Pick<Knowledge, "recordVisibility" | "visibility"> {
  return {
    recordVisibility: async ({ upstream, repository }, { isPublic, checkedAt }) => {
      await database.query(
        `insert into visibility (upstream, repository, is_public, checked_at) values ($1, $2, $3, $4)
         on conflict (upstream, repository) do update set is_public = excluded.is_public,
           checked_at = excluded.checked_at`,
        [upstream, repository, isPublic, checkedAt],
      );
    },
    visibility: async ({ upstream, repository }) => {
      const [row] = await database.query<Visibility>(
        `select is_public as "isPublic", checked_at as "checkedAt" from visibility
         where upstream = $1 and repository = $2`,
        [upstream, repository],
      );
      return row;
    },
  };
}
