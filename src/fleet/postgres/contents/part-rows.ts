/** Owns the question what a manifest lists: its parts, those of the manifests that it lists, and which of them the fleet has. It changes nothing. */
import { MOST_LEVELS, type PartColumns, type PartRows, partOf } from "../../../metadata/part-rows.ts";
import type { FleetDatabase } from "../fleet-database.ts";

type PartRow = PartColumns & { readonly isStored: boolean };

const PARTS = `
  with recursive down (digest, platform, level) as (
    select $1::text collate "C", null::text, 0
    union select e.child, coalesce(e.platform, down.platform), level + 1
    from down join edges as e on e.parent = down.digest and e.role = 'child' where level < ${MOST_LEVELS})
  select e.parent, e.child as digest, e.role, coalesce(e.platform, down.platform) as platform,
    e.media_type as "mediaType", e.size, b.size as blob,
    exists (select from manifest_uses as m where m.digest = e.child) as "isStored"
  from down join edges as e on e.parent = down.digest left join blobs as b on b.digest = e.child
  order by down.level, e.parent, e.place limit $2`;

export function fleetParts(database: FleetDatabase): PartRows {
  return {
    partsOf: async (digest, limit) => {
      const rows = await database.query<PartRow>(PARTS, [digest, limit]);
      return rows.map((row) => partOf(row, row.isStored));
    },
    listedAs: async (digest) => {
      const [row] = await database.query<Pick<PartRow, "role" | "mediaType">>(
        `select role, media_type as "mediaType" from edges where child = $1 and role <> 'child' limit 1`,
        [digest],
      );
      return row && { role: row.role, mediaType: row.mediaType ?? undefined };
    },
  };
}
