/** Owns the rows of `links`: which repository has been seen to contain which digest. A known size is never lost to a link without one. */
import { type Digest, parseDigest } from "../oci/digest.ts";
import type { Link, Metadata, RepositoryKey } from "./metadata.ts";
import type { SqlDatabase } from "./sql-database.ts";

type LinkRow = { readonly digest: string; readonly size: number | null };

export type LinkRows = Pick<Metadata, "recordLink" | "link" | "forgetSizes"> & {
  /** The synchronous form, for use inside a transaction. */
  put(where: RepositoryKey, link: Link): void;
};

export function linkRows(database: SqlDatabase): LinkRows {
  const upsert = database.prepare(
    `INSERT INTO links (upstream, repository, digest, size) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET size = coalesce(excluded.size, size)`,
  );
  const one = database.prepare<LinkRow>(
    "SELECT digest, size FROM links WHERE upstream = ? AND repository = ? AND digest = ?",
  );
  const clear = database.prepare("UPDATE links SET size = NULL WHERE digest = ?");
  const put = (where: RepositoryKey, { digest, size }: Link) =>
    upsert.run(where.upstream, where.repository, digest, size ?? null);

  return {
    put,
    recordLink: async (where, link) => put(where, link),
    link: async (where, digest) => {
      const row = one.get(where.upstream, where.repository, digest);
      return row && { digest: parseDigest(row.digest), size: row.size ?? undefined };
    },
    forgetSizes: async (digest: Digest) => clear.run(digest),
  };
}
