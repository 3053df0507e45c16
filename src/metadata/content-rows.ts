/**
 * Owns the questions about contents: which repositories there are, what lies in each, what a manifest lists and how much of that is here, and
 * who needs a digest. Each question reads a bounded stretch, so that nobody waits for it; whoever wants all of it asks page by page. It
 * changes nothing but the last uses of tags, and the edges of manifests from before there were any.
 */
import { type Digest, parseDigest } from "../oci/digest.ts";
import type { EdgeRole } from "../oci/manifest-edges.ts";
import { backfillOf } from "./edge-rows.ts";
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

/** Something that a manifest, or one that an index lists, needs. */
export type Part = {
  /** The manifest that lists it. */
  readonly parent: Digest;
  readonly digest: Digest;
  readonly role: EdgeRole;
  /** Of the child through which it is listed. */
  readonly platform: string | undefined;
  readonly mediaType: string | undefined;
  /** Bytes, as stated. */
  readonly size: number | undefined;
  /** Bytes of the whole blob, where it is here. */
  readonly blob: number | undefined;
  /** For a child: its manifest is stored. */
  readonly isStored: boolean;
};

export type TagUse = RepositoryKey & { readonly tag: string; readonly usedAt: number };

export interface ContentRows {
  /** In order of upstream and name, those after `after`, at most `limit`. */
  repositoriesAfter(after: RepositoryKey, limit: number): Promise<RepositoryKey[]>;
  /** Whether anything is known of the repository. */
  holds(where: RepositoryKey): Promise<boolean>;
  sumsOf(where: RepositoryKey): Promise<RepositorySums>;
  /** In the order of their names; at most `limit`. */
  tagsIn(where: RepositoryKey, limit: number): Promise<TagInRepository[]>;
  /** When the tag was last asked for, epoch ms; where that is not known, its manifest. */
  tagUsedAt(where: RepositoryKey, tag: string): Promise<number | undefined>;
  manifestsIn(where: RepositoryKey, limit: number): Promise<ManifestInRepository[]>;
  /** What tags of the repository point to, and all manifests below that. */
  taggedIn(where: RepositoryKey): Promise<ReadonlySet<Digest>>;
  /** Digests that the repository has a link to and that `glob` stands for: a digest, or its beginning with "*" behind it. */
  linkedLike(where: RepositoryKey, glob: string): Promise<Digest[]>;
  /** Manifests that were used last before `before` (epoch ms), the longest ago first. */
  manifestsUnusedSince(before: number, limit: number): Promise<Digest[]>;
  /** Whether a stored manifest that its repository has confirmed lists `digest`, or is it. */
  isNeeded(digest: Digest): Promise<boolean>;
  /** Everything that is listed by `digest` and by what that lists, level by level, at most `limit`. */
  partsOf(digest: Digest, limit: number): Promise<Part[]>;
  /** Repositories with a link to `digest`, confirmed or stated. */
  repositoriesWith(digest: Digest, limit: number): Promise<RepositoryKey[]>;
  /** `digest` and the manifests that list it, directly or through an index. */
  ancestorsOf(digest: Digest): Promise<Digest[]>;
  /** Names of upstreams that something is stored from, also of those that are configured no more. */
  upstreams(): Promise<string[]>;
  /** All of them in one transaction. */
  recordTagUses(uses: readonly TagUse[]): Promise<void>;
  /** Adds the edges of a few manifests from before there were edges; false when none are left. */
  backfillEdges(): Promise<boolean>;
}

const IN = "upstream = ? AND repository = ?";
/** Indices list images; some list indices. Nothing real is deeper. */
const MOST_LEVELS = 4;
const MOST_ANCESTORS = 2_000;

export function contentRows(database: SqlDatabase): ContentRows {
  const nextRepository = database.prepare<RepositoryKey>(
    "SELECT upstream, repository FROM links WHERE (upstream, repository) > (?, ?) ORDER BY upstream, repository LIMIT 1",
  );
  const nextUpstream = database.prepare<{ upstream: string }>(
    "SELECT upstream FROM links WHERE upstream > ? ORDER BY upstream LIMIT 1",
  );
  const having = database.prepare<RepositoryKey>(
    "SELECT upstream, repository FROM links WHERE digest = ? LIMIT ?",
  );
  const parents = database.prepare<{ digest: string }>(
    `WITH RECURSIVE up(digest, level) AS (
       SELECT ?, 0 UNION SELECT edges.parent, level + 1 FROM up JOIN edges ON edges.child = up.digest WHERE level < ${MOST_LEVELS})
     SELECT DISTINCT digest FROM up LIMIT ${MOST_ANCESTORS}`,
  );
  const use = database.prepare(
    `INSERT INTO tag_uses (upstream, repository, tag, used_at) SELECT ?, ?, ?, ?
     WHERE EXISTS (SELECT 1 FROM tags WHERE upstream = ? AND repository = ? AND tag = ?)
     ON CONFLICT DO UPDATE SET used_at = max(used_at, excluded.used_at)`,
  );
  const anything = database.prepare<RepositoryKey>(
    `SELECT upstream, repository FROM links WHERE ${IN} LIMIT 1`,
  );
  const backfill = backfillOf(database);
  return {
    ...repositoryQuestions(database),
    ...needQuestions(database),
    partsOf: partsQuestion(database),
    repositoriesAfter: async (after, limit) => {
      const found: RepositoryKey[] = [];
      for (let last = after; found.length < limit; ) {
        const next = nextRepository.get(last.upstream, last.repository);
        if (next === undefined) break;
        found.push(next);
        last = next;
      }
      return found;
    },
    holds: async ({ upstream, repository }) => anything.get(upstream, repository) !== undefined,
    repositoriesWith: async (digest, limit) => having.all(digest, limit),
    ancestorsOf: async (digest) => parents.all(digest).map((row) => parseDigest(row.digest)),
    upstreams: async () => {
      const found: string[] = [];
      for (let next = nextUpstream.get(""); next !== undefined; next = nextUpstream.get(next.upstream))
        found.push(next.upstream);
      return found;
    },
    recordTagUses: async (uses) =>
      database.inTransaction(() => {
        for (const { upstream, repository, tag, usedAt } of uses)
          use.run(upstream, repository, tag, usedAt, upstream, repository, tag);
      }),
    backfillEdges: async () => backfill(),
  };
}

function needQuestions(
  database: SqlDatabase,
): Pick<ContentRows, "taggedIn" | "linkedLike" | "isNeeded" | "manifestsUnusedSince"> {
  const tagged = database.prepare<{ digest: string }>(
    `WITH RECURSIVE down(digest, level) AS (
       SELECT digest, 0 FROM tags WHERE ${IN}
       UNION SELECT e.child, level + 1 FROM down JOIN edges AS e ON e.parent = down.digest AND e.role = 'child'
       WHERE level < ${MOST_LEVELS})
     SELECT DISTINCT digest FROM down`,
  );
  const like = database.prepare<{ digest: string }>(
    `SELECT digest FROM links WHERE ${IN} AND digest >= ? AND digest <= ?`,
  );
  const needed = database.prepare<{ found: number }>(
    `SELECT 1 AS found FROM links AS l JOIN manifest_uses AS m ON m.digest = l.digest
     WHERE l.confirmed > 0 AND l.digest IN (SELECT ? UNION SELECT parent FROM edges WHERE child = ?) LIMIT 1`,
  );
  const unused = database.prepare<{ digest: string }>(
    "SELECT digest FROM manifest_uses WHERE used_at < ? ORDER BY used_at, digest LIMIT ?",
  );
  return {
    manifestsUnusedSince: async (before, limit) =>
      unused.all(before, limit).map((row) => parseDigest(row.digest)),
    taggedIn: async ({ upstream, repository }) =>
      new Set(tagged.all(upstream, repository).map((row) => parseDigest(row.digest))),
    linkedLike: async ({ upstream, repository }, glob) => {
      const start = glob.replace("*", "");
      // Hex digits end before "g".
      const end = glob.endsWith("*") ? `${start}g` : start;
      return like.all(upstream, repository, start, end).map((row) => parseDigest(row.digest));
    },
    isNeeded: async (digest) => needed.get(digest, digest) !== undefined,
  };
}

type TagRow = Omit<TagInRepository, "digest" | "usedAt"> & { digest: string; usedAt: number | null };
type ManifestRow = { digest: string; mediaType: string | null; size: number | null; usedAt: number };

function repositoryQuestions(
  database: SqlDatabase,
): Pick<ContentRows, "sumsOf" | "tagsIn" | "tagUsedAt" | "manifestsIn"> {
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
  return {
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
    sumsOf: async ({ upstream, repository }) => {
      const stored = blobs.get(upstream, repository) ?? { count: 0, size: 0, usedAt: 0 };
      const documents = known.get(upstream, repository) ?? { count: 0, usedAt: 0 };
      const names = tagged.get(upstream, repository, upstream, repository) ?? { count: 0, usedAt: 0 };
      // Blobs are shared: their uses count only where nothing better is known of the repository.
      const usedAt = Math.max(names.usedAt, documents.usedAt) || stored.usedAt;
      const all = wanted.get(upstream, repository)?.size ?? 0;
      return {
        ...{ size: stored.size, blobs: stored.count, wanted: Math.max(all, 0) },
        ...{ tags: names.count, manifests: documents.count, usedAt },
      };
    },
  };
}

type PartRow = {
  readonly parent: string;
  readonly digest: string;
  readonly role: EdgeRole;
  readonly platform: string | null;
  readonly mediaType: string | null;
  readonly size: number | null;
  readonly blob: number | null;
  readonly isStored: number;
};

function partsQuestion(database: SqlDatabase): ContentRows["partsOf"] {
  const parts = database.prepare<PartRow>(
    `WITH RECURSIVE down(digest, platform, level) AS (
       SELECT ?, NULL, 0
       UNION SELECT e.child, coalesce(e.platform, down.platform), level + 1
       FROM down JOIN edges AS e ON e.parent = down.digest AND e.role = 'child' WHERE level < ${MOST_LEVELS})
     SELECT e.parent, e.child AS digest, e.role, coalesce(e.platform, down.platform) AS platform,
       e.media_type AS mediaType, e.size, b.size AS blob,
       EXISTS (SELECT 1 FROM manifest_uses AS m WHERE m.digest = e.child) AS isStored
     FROM down JOIN edges AS e ON e.parent = down.digest LEFT JOIN blobs AS b ON b.digest = e.child
     ORDER BY down.level, e.parent, e.place LIMIT ?`,
  );
  return async (digest, limit) =>
    parts.all(digest, limit).map((row) => ({
      parent: parseDigest(row.parent),
      digest: parseDigest(row.digest),
      role: row.role,
      platform: row.platform ?? undefined,
      mediaType: row.mediaType ?? undefined,
      size: row.size ?? undefined,
      blob: row.blob ?? undefined,
      isStored: row.isStored === 1,
    }));
}
