/**
 * Owns the questions about contents: which repositories there are, and who needs a digest. Those about one repository (repository-rows.ts),
 * about what a manifest lists (part-rows.ts) and what was brought in beside it (referrer-rows.ts) belong to the same port. Each question reads a bounded stretch, so that nobody waits for it;
 * whoever wants all of it asks page by page. It changes nothing but the last uses of tags, and the edges of manifests from before there were
 * any.
 */
import { type Digest, parseDigest } from "../oci/digest.ts";
import { backfillOf } from "./edge-rows.ts";
import type { RepositoryKey } from "./metadata.ts";
import { MOST_LEVELS, type PartRows, partRows } from "./part-rows.ts";
import { type ReferrerRows, referrerRows } from "./referrer-rows.ts";
import { type RepositoryRows, repositoryRows } from "./repository-rows.ts";
import type { SqlDatabase } from "./sql-database.ts";

export type TagUse = RepositoryKey & { readonly tag: string; usedAt: number };

export interface ContentRows extends RepositoryRows, PartRows, ReferrerRows {
  /** In order of upstream and name, those after `after`, at most `limit`. */
  repositoriesAfter(after: RepositoryKey, limit: number): Promise<RepositoryKey[]>;
  /** Whether anything is known of the repository. */
  holds(where: RepositoryKey): Promise<boolean>;
  /** What tags of the repository point to, and all manifests below that. */
  taggedIn(where: RepositoryKey): Promise<ReadonlySet<Digest>>;
  /** Digests that the repository has a link to and that `glob` stands for: a digest, or its beginning with "*" behind it. */
  linkedLike(where: RepositoryKey, glob: string): Promise<Digest[]>;
  /** Manifests that were used last before `before` (epoch ms), the longest ago first. */
  manifestsUnusedSince(before: number, limit: number): Promise<Digest[]>;
  /** Whether a stored manifest that its repository has confirmed lists `digest`, or is it. */
  isNeeded(digest: Digest): Promise<boolean>;
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
    ...repositoryRows(database),
    ...partRows(database),
    ...referrerRows(database),
    ...needQuestions(database),
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
