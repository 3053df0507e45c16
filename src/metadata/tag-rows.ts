/** Owns the rows of `tags`: what a tag pointed to when it was last checked. */
import { parseDigest } from "../oci/digest.ts";
import type { KnownTag, Metadata, TagKey, TagRecord } from "./metadata.ts";
import type { SqlDatabase, SqlValue } from "./sql-database.ts";

type TagRow = Omit<TagRecord, "digest" | "importedAt"> & {
  readonly digest: string;
  readonly importedAt: number | null;
};

type TagMethods = "recordTag" | "tag" | "forgetTag" | "tagsOf";

const KEY = "upstream = ? AND repository = ? AND tag = ? AND accept_class = ?";

export type TagRows = Pick<Metadata, TagMethods> & {
  /** The synchronous form, for use inside a transaction. */
  put(record: TagRecord): void;
};

export function tagRows(database: SqlDatabase): TagRows {
  const upsert = database.prepare(
    `INSERT INTO tags
       (upstream, repository, tag, accept_class, digest, media_type, size, checked_at, imported_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET digest = excluded.digest, media_type = excluded.media_type, size = excluded.size,
       checked_at = excluded.checked_at, imported_at = excluded.imported_at`,
  );
  const one = database.prepare<TagRow>(
    `SELECT upstream, repository, tag, accept_class AS acceptClass, digest, media_type AS mediaType, size,
       checked_at AS checkedAt, imported_at AS importedAt
     FROM tags WHERE ${KEY}`,
  );
  const remove = database.prepare(`DELETE FROM tags WHERE ${KEY}`);
  const names = database.prepare<KnownTag>(
    `SELECT tag, MAX(checked_at) AS checkedAt FROM tags WHERE upstream = ? AND repository = ?
     GROUP BY tag ORDER BY tag`,
  );
  const put = (record: TagRecord) => {
    const { digest, mediaType, size, checkedAt, importedAt = null } = record;
    upsert.run(...keyOf(record), digest, mediaType, size, checkedAt, importedAt);
  };
  return {
    put,
    recordTag: async (record) => put(record),
    tag: async (key) => {
      const row = one.get(...keyOf(key));
      if (row === undefined) return undefined;
      const { importedAt, ...rest } = row;
      return { ...rest, digest: parseDigest(row.digest), ...(importedAt !== null && { importedAt }) };
    },
    forgetTag: async (key) => remove.run(...keyOf(key)),
    tagsOf: async (where) => names.all(where.upstream, where.repository),
  };
}

function keyOf(key: TagKey): SqlValue[] {
  return [key.upstream, key.repository, key.tag, key.acceptClass];
}
