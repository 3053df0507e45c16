/** Owns the rows of `tags`: what a tag pointed to when one of the nodes checked it last. */

import type { Knowledge, KnownTag, TagKey, TagRecord } from "../../../metadata/metadata.ts";
import { parseDigest } from "../../../oci/digest.ts";
import type { FleetDatabase, FleetQuery } from "../fleet-database.ts";

type TagRow = Omit<TagRecord, "digest" | "importedAt"> & {
  readonly digest: string;
  readonly importedAt: number | null;
};

const KEY = "upstream = $1 and repository = $2 and tag = $3 and accept_class = $4";

export function fleetTags(
  database: FleetDatabase,
): Pick<Knowledge, "recordTag" | "tag" | "forgetTag" | "tagsOf"> {
  return {
    recordTag: (record) => putTag(database.query, record),
    tag: async (key) => {
      const [row] = await database.query<TagRow>(
        `select upstream, repository, tag, accept_class as "acceptClass", digest, media_type as "mediaType", size,
           checked_at as "checkedAt", imported_at as "importedAt"
         from tags where ${KEY}`,
        keyOf(key),
      );
      if (row === undefined) return undefined;
      const { importedAt, ...rest } = row;
      return { ...rest, digest: parseDigest(row.digest), ...(importedAt !== null && { importedAt }) };
    },
    forgetTag: async (key) => {
      await database.query(`delete from tags where ${KEY}`, keyOf(key));
    },
    tagsOf: ({ upstream, repository }) =>
      database.query<KnownTag>(
        `select tag, max(checked_at) as "checkedAt" from tags where upstream = $1 and repository = $2
         group by tag order by tag`,
        [upstream, repository],
      ),
  };
}

export async function putTag(query: FleetQuery, record: TagRecord): Promise<void> {
  const { digest, mediaType, size, checkedAt, importedAt = null } = record;
  await query(
    `insert into tags (upstream, repository, tag, accept_class, digest, media_type, size, checked_at, imported_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (upstream, repository, tag, accept_class) do update set digest = excluded.digest,
       media_type = excluded.media_type, size = excluded.size, checked_at = excluded.checked_at,
       imported_at = excluded.imported_at`,
    [...keyOf(record), digest, mediaType, size, checkedAt, importedAt],
  );
}

function keyOf({ upstream, repository, tag, acceptClass }: TagKey) {
  return [upstream, repository, tag, acceptClass];
}
