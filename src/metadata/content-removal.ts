/**
 * Owns how names leave one repository: its tags, the manifests that only they need there, the links to what these list, and all that was noted
 * on who may see that. What of it leaves is leaving.ts's. Blobs are never removed here: the Janitor does that, with their files.
 */
import { type Digest, parseDigest } from "../oci/digest.ts";
import { type Leaving, type LeavingQuestions, type LeavingRows, leavingRows } from "./leaving.ts";
import type { RepositoryKey } from "./metadata.ts";
import type { SqlDatabase, SqlStatement } from "./sql-database.ts";

export type { Leaving, LeavingRows } from "./leaving.ts";

export interface ContentRemoval {
  /** What leaves with `leaving`. Changes nothing. */
  whatLeaves(leaving: Leaving): Promise<LeavingRows>;
  /** Repositories that have a link to `digest`. */
  linksTo(digest: Digest): Promise<number>;
  /**
   * Deletes lists, and what is known of who may see something, that are older than `before` (epoch ms) and of which the repository, or the
   * digest in it, is known no more; at most `limit` of each.
   */
  dropOldLists(before: number, limit: number): Promise<void>;
  /**
   * Deletes the rows in one transaction; what has left is told as it was found now. What no repository has a link to then is written down as
   * leaving, until `haveLeft` is told that its bytes are gone too. Throws `store-full`, `store-damaged`.
   */
  leave(leaving: Leaving): Promise<LeavingRows>;
  /** In the order of the digests, those after `after` (all of them after ""), at most `limit`. */
  stillLeaving(after: string, limit: number): Promise<Digest[]>;
  /** Throws `store-full`, `store-damaged`. */
  haveLeft(digests: readonly Digest[]): Promise<void>;
}

const IN = "upstream = ? AND repository = ?";

export function contentRemoval(database: SqlDatabase): ContentRemoval {
  const ask = questions(database);
  const remove = deletions(database);
  const links = database.prepare<{ count: number }>("SELECT count(*) AS count FROM links WHERE digest = ?");
  const oldLists = database.prepare(
    `DELETE FROM lists WHERE rowid IN (
       SELECT rowid FROM lists AS l WHERE checked_at < ? AND NOT EXISTS (
         SELECT 1 FROM links WHERE links.upstream = l.upstream AND links.repository = l.repository)
       ORDER BY checked_at LIMIT ?)`,
  );
  // Rows NAME@DIGEST are of one digest, others of a whole repository.
  const oldViews = database.prepare(
    `DELETE FROM visibility WHERE (upstream, repository) IN (
       SELECT upstream, repository FROM visibility AS v WHERE checked_at < ? AND NOT EXISTS (
         SELECT 1 FROM links WHERE links.upstream = v.upstream
           AND links.repository = substr(v.repository, 1, instr(v.repository || '@', '@') - 1)
           AND (instr(v.repository, '@') = 0 OR links.digest = substr(v.repository, instr(v.repository, '@') + 1)))
       ORDER BY checked_at LIMIT ?)`,
  );
  const linksTo = (digest: Digest) => links.get(digest)?.count ?? 0;
  const still = database.prepare<{ digest: string }>(
    "SELECT digest FROM leaving WHERE digest > ? ORDER BY digest LIMIT ?",
  );
  const begin = database.prepare("INSERT OR IGNORE INTO leaving (digest) VALUES (?)");
  const end = database.prepare("DELETE FROM leaving WHERE digest = ?");
  return {
    stillLeaving: async (after, limit) => still.all(after, limit).map((row) => parseDigest(row.digest)),
    haveLeft: async (digests) =>
      database.inTransaction(() => {
        for (const digest of digests) end.run(digest);
      }),
    whatLeaves: async (leaving) => leavingRows(leaving, ask),
    linksTo: async (digest) => linksTo(digest),
    dropOldLists: async (before, limit) =>
      database.inTransaction(() => {
        oldLists.run(before, limit);
        oldViews.run(before, limit);
      }),
    leave: async (leaving) => {
      let left: LeavingRows | undefined;
      database.inTransaction(() => {
        const rows = leavingRows(leaving, ask);
        left = rows;
        remove.names(rows);
        for (const digest of rows.unlinked) remove.link(rows, digest);
        for (const digest of rows.manifests) if (linksTo(digest) === 0) remove.manifest(digest);
        const manifests = new Set(rows.manifests);
        for (const digest of rows.unlinked)
          if (!manifests.has(digest) && linksTo(digest) === 0) begin.run(digest);
      });
      return left ?? { ...leaving, tagKeys: [], manifests: [], unlinked: [] };
    },
  };
}

function questions(database: SqlDatabase): LeavingQuestions {
  const tags = database.prepare<{ tag: string; acceptClass: string; digest: string }>(
    `SELECT tag, accept_class AS acceptClass, digest FROM tags WHERE ${IN}`,
  );
  const links = database.prepare<{ digest: string }>(`SELECT digest FROM links WHERE ${IN}`);
  const manifests = database.prepare<{ digest: string }>(
    `SELECT l.digest FROM links AS l JOIN manifest_uses AS m ON m.digest = l.digest
     WHERE l.upstream = ? AND l.repository = ? AND l.confirmed > 0`,
  );
  const listed = database.prepare<{ digest: string; role: string }>(
    "SELECT child AS digest, role FROM edges WHERE parent = ?",
  );
  const listing = database.prepare<{ digest: string }>(
    `SELECT e.parent AS digest FROM edges AS e JOIN links AS l ON l.digest = e.parent
     WHERE e.child = ? AND l.upstream = ? AND l.repository = ? AND l.confirmed > 0`,
  );
  const digests = (statement: SqlStatement<{ digest: string }>, { upstream, repository }: RepositoryKey) =>
    statement.all(upstream, repository).map((row) => parseDigest(row.digest));
  return {
    tags: ({ upstream, repository }: RepositoryKey) =>
      tags.all(upstream, repository).map((row) => ({ ...row, digest: parseDigest(row.digest) })),
    links: (where: RepositoryKey) => digests(links, where),
    manifests: (where: RepositoryKey) => digests(manifests, where),
    listed: (parent: Digest) =>
      listed.all(parent).map(({ digest, role }) => ({ digest: parseDigest(digest), role })),
    listing: ({ upstream, repository }: RepositoryKey, child: Digest) =>
      listing.all(child, upstream, repository).map((row) => parseDigest(row.digest)),
  };
}

function deletions(database: SqlDatabase) {
  const tag = database.prepare(`DELETE FROM tags WHERE ${IN} AND tag = ?`);
  const link = database.prepare(`DELETE FROM links WHERE ${IN} AND digest = ?`);
  const lists = database.prepare(`DELETE FROM lists WHERE ${IN}`);
  const referrers = database.prepare(`DELETE FROM lists WHERE ${IN} AND kind = 'referrers' AND name = ?`);
  const visibility = database.prepare(`DELETE FROM visibility WHERE ${IN}`);
  // "@" is followed by "A" in the order of characters: these are the rows NAME@DIGEST of one repository.
  const visibilities = database.prepare(
    "DELETE FROM visibility WHERE upstream = ? AND repository >= ? || '@' AND repository < ? || 'A'",
  );
  const manifest = database.prepare("DELETE FROM manifests WHERE digest = ?");
  const use = database.prepare("DELETE FROM manifest_uses WHERE digest = ?");
  return {
    names: ({ upstream, repository, tags, isAll }: LeavingRows) => {
      for (const each of tags) tag.run(upstream, repository, each);
      if (!isAll) return;
      lists.run(upstream, repository);
      visibility.run(upstream, repository);
      visibilities.run(upstream, repository, repository);
    },
    link: ({ upstream, repository }: RepositoryKey, digest: Digest) => {
      link.run(upstream, repository, digest);
      referrers.run(upstream, repository, digest);
      visibility.run(upstream, `${repository}@${digest}`);
    },
    manifest: (digest: Digest) => {
      manifest.run(digest);
      use.run(digest);
    },
  };
}
