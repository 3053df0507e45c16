/**
 * Owns the questions about one repository: its tags, its manifests, and the sums over it. What is stored is counted once for each repository
 * that has it, and nothing is changed.
 */
import { type Digest, parseDigest } from "../oci/digest.ts";
import type { RepositoryKey } from "./metadata.ts";
import type { SqlDatabase } from "./sql-database.ts";

/** One tag of a repository, for one kind of clients. */
export type TagInRepository = {
  readonly tag: string;
  readonly acceptClass: string;
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** Epoch ms. */
  readonly checkedAt: number;
  /** Epoch ms; undefined where nobody has asked for it since such uses are written down. */
  readonly usedAt: number | undefined;
};

/** A stored manifest that the upstream of the repository has confirmed there. */
type ManifestInRepository = {
  readonly digest: Digest;
  readonly mediaType: string | undefined;
  /** Bytes; undefined where nobody told. */
  readonly size: number | undefined;
  /** Epoch ms. */
  readonly usedAt: number;
};

/** Sums over one repository, all in bytes. */
type RepositorySums = {
  /** Of its blobs that are here. */
  readonly size: number;
  readonly blobs: number;
  /** Of all that its stored manifests list, here or not. */
  readonly wanted: number;
  readonly tags: number;
  readonly manifests: number;
  /** Epoch ms; 0 where it is not known. */
  readonly usedAt: number;
};

export interface RepositoryRows {
  sumsOf(where: RepositoryKey): Promise<RepositorySums>;
  /** `size` of the sums alone, which costs a fraction of all of them. */
  sizeOf(where: RepositoryKey): Promise<number>;
  /** `usedAt` of the sums alone. */
  repositoryUsedAt(where: RepositoryKey): Promise<number>;
  /** In the order of their names; at most `limit`. */
  tagsIn(where: RepositoryKey, limit: number): Promise<TagInRepository[]>;
  /** When the tag was last asked for, epoch ms; where that is not known, its manifest. */
  tagUsedAt(where: RepositoryKey, tag: string): Promise<number | undefined>;
  manifestsIn(where: RepositoryKey, limit: number): Promise<ManifestInRepository[]>;
}

const IN = "upstream = ? AND repository = ?";

type TagRow = Omit<TagInRepository, "digest" | "usedAt"> & { digest: string; usedAt: number | null };
type ManifestRow = { digest: string; mediaType: string | null; size: number | null; usedAt: number };

export function repositoryRows(database: SqlDatabase): RepositoryRows {
  const tags = database.prepare<TagRow>(
    `SELECT t.tag, t.accept_class AS acceptClass, t.digest, t.media_type AS mediaType, t.size,
       t.checked_at AS checkedAt, u.used_at AS usedAt
     FROM tags AS t LEFT JOIN tag_uses AS u USING (upstream, repository, tag)
     WHERE t.upstream = ? AND t.repository = ? ORDER BY t.tag, t.accept_class LIMIT ?`,
  );
  const manifests = database.prepare<ManifestRow>(
    `SELECT l.digest, l.media_type AS mediaType, l.confirmed_size AS size, m.used_at AS usedAt
     FROM links AS l JOIN manifest_uses AS m ON m.digest = l.digest
     WHERE l.upstream = ? AND l.repository = ? AND l.confirmed > 0 LIMIT ?`,
  );
  const blobs = database.prepare<{ count: number; size: number; usedAt: number }>(
    `SELECT count(*) AS count, coalesce(sum(b.size), 0) AS size, coalesce(max(b.used_at), 0) AS usedAt
     FROM links AS l JOIN blobs AS b ON b.digest = l.digest WHERE l.upstream = ? AND l.repository = ?`,
  );
  const wanted = database.prepare<{ size: number }>(
    `SELECT coalesce(sum(size), 0) AS size FROM (
       SELECT e.child, max(coalesce(e.size, b.size, 0)) AS size
       FROM links AS l JOIN edges AS e ON e.parent = l.digest LEFT JOIN blobs AS b ON b.digest = e.child
       WHERE l.upstream = ? AND l.repository = ? AND l.confirmed > 0 AND e.role <> 'child' GROUP BY e.child)`,
  );
  const known = database.prepare<{ count: number; usedAt: number }>(
    `SELECT count(*) AS count, coalesce(max(m.used_at), 0) AS usedAt
     FROM links AS l JOIN manifest_uses AS m ON m.digest = l.digest
     WHERE l.upstream = ? AND l.repository = ? AND l.confirmed > 0`,
  );
  const tagged = database.prepare<{ count: number; usedAt: number }>(
    `SELECT (SELECT count(DISTINCT tag) FROM tags WHERE ${IN}) AS count,
       (SELECT coalesce(max(used_at), 0) FROM tag_uses WHERE ${IN}) AS usedAt`,
  );
  const used = database.prepare<{ usedAt: number | null }>(
    `SELECT coalesce(max(u.used_at), max(m.used_at)) AS usedAt
     FROM tags AS t LEFT JOIN tag_uses AS u USING (upstream, repository, tag) LEFT JOIN manifest_uses AS m ON m.digest = t.digest
     WHERE t.upstream = ? AND t.repository = ? AND t.tag = ?`,
  );
  const usedIn = ({ upstream, repository }: RepositoryKey) => {
    const documents = known.get(upstream, repository) ?? { count: 0, usedAt: 0 };
    const names = tagged.get(upstream, repository, upstream, repository) ?? { count: 0, usedAt: 0 };
    return {
      tags: names.count,
      manifests: documents.count,
      usedAt: Math.max(names.usedAt, documents.usedAt),
    };
  };
  const storedIn = ({ upstream, repository }: RepositoryKey) =>
    blobs.get(upstream, repository) ?? { count: 0, size: 0, usedAt: 0 };
  return {
    sizeOf: async (where) => storedIn(where).size,
    // Blobs are shared: their uses count only where nothing better is known of the repository.
    repositoryUsedAt: async (where) => usedIn(where).usedAt || storedIn(where).usedAt,
    tagUsedAt: async ({ upstream, repository }, tag) =>
      used.get(upstream, repository, tag)?.usedAt || undefined,
    tagsIn: async ({ upstream, repository }, limit) =>
      tags.all(upstream, repository, limit).map((row) => ({
        ...row,
        digest: parseDigest(row.digest),
        usedAt: row.usedAt ?? undefined,
      })),
    manifestsIn: async ({ upstream, repository }, limit) =>
      manifests.all(upstream, repository, limit).map(({ digest, mediaType, size, usedAt }) => ({
        digest: parseDigest(digest),
        mediaType: mediaType ?? undefined,
        size: size ?? undefined,
        usedAt,
      })),
    sumsOf: async (where) => {
      const stored = storedIn(where);
      const { usedAt, ...counts } = usedIn(where);
      const all = wanted.get(where.upstream, where.repository)?.size ?? 0;
      const sums = { size: stored.size, blobs: stored.count, wanted: Math.max(all, 0) };
      return { ...sums, ...counts, usedAt: usedAt || stored.usedAt };
    },
  };
}
