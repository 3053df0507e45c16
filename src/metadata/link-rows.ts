/** Owns the rows of `links`: what is known of which digest in which repository. How a change is applied to a row is in link-change.ts. */
import type { Digest } from "../oci/digest.ts";
import { changedLink } from "./link-change.ts";
import { type LinkColumns, levelOf, linkOf } from "./link-columns.ts";
import type { LinkChange, Metadata, RepositoryKey } from "./metadata.ts";
import type { SqlDatabase } from "./sql-database.ts";

type LinkRow = LinkColumns & { readonly imported: number };

export type LinkRows = Pick<Metadata, "recordLink" | "link"> & {
  /** The synchronous form, for use inside a transaction. */
  put(where: RepositoryKey, change: LinkChange): void;
};

export function linkRows(database: SqlDatabase): LinkRows {
  const upsert = database.prepare(
    `INSERT OR REPLACE INTO links
       (upstream, repository, digest, size, confirmed, confirmed_size, media_type, imported)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const one = database.prepare<LinkRow>(
    `SELECT digest, size, confirmed, confirmed_size AS confirmedSize, media_type AS mediaType, imported
     FROM links WHERE upstream = ? AND repository = ? AND digest = ?`,
  );
  const find = ({ upstream, repository }: RepositoryKey, digest: Digest) => {
    const row = one.get(upstream, repository, digest);
    return row && linkOf(row, row.imported === 1);
  };
  const put = (where: RepositoryKey, change: LinkChange) => {
    const link = changedLink(find(where, change.digest), change);
    const { digest, stated = null, confirmed } = link;
    const { size = null, mediaType = null } = confirmed ?? {};
    const mark = Number(link.isImported === true);
    upsert.run(where.upstream, where.repository, digest, stated, levelOf(confirmed), size, mediaType, mark);
  };

  return {
    put,
    recordLink: async (where, change) => put(where, change),
    link: async (where, digest) => find(where, digest),
  };
}
