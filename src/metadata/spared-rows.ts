/**
 * Owns the question which manifests, tags and notes on visibility must stay in a database that is too large, because a person keeps them or
 * because nobody could bring them back now. Who keeps what is not known here: it is told by functions. It deletes nothing.
 */
import type { RepositoryKey } from "./metadata.ts";
import { MOST_LEVELS } from "./part-rows.ts";
import type { SqlDatabase } from "./sql-database.ts";

/** A name of something that is stored. */
type StoredName = RepositoryKey & { readonly digest: string; readonly tag?: string };

/** What must not leave for room. Both functions answer at once: they are called while rows are deleted. */
export type Spared = {
  /** Somebody keeps what has this name. */
  isKept(name: StoredName): boolean;
  /** Somebody keeps something in this repository. */
  isKeptIn(where: RepositoryKey): boolean;
  /** The upstream can be asked now for `reference`, a tag or a digest: what it answers for can be learned again. */
  canBeAsked(where: RepositoryKey, reference: string): boolean;
};

export const NOTHING_SPARED: Spared = {
  isKept: () => false,
  isKeptIn: () => false,
  canBeAsked: () => true,
};

export type SparedRows = {
  /** A manifest, or what one lists, that is needed by a name that is kept or whose upstream cannot be asked. */
  has(digest: string, spared: Spared): boolean;
  /** A note on who may see a repository, or one digest in it (`NAME@DIGEST`). */
  hasView(where: RepositoryKey, spared: Spared): boolean;
};

type LinkedName = StoredName & { readonly imported: number };

/** Of one digest. What more repositories than that share is brought back by the next pull of any of them. */
const MOST_NAMES = 2_000;

const UP = `WITH RECURSIVE up(digest, level) AS (
  SELECT ?, 0 UNION SELECT edges.parent, level + 1 FROM up JOIN edges ON edges.child = up.digest WHERE level < ${MOST_LEVELS})`;

export function sparedRows(database: SqlDatabase): SparedRows {
  // Only names of manifests that are stored: of others there is nothing that could stay.
  const tagged = database.prepare<StoredName & { readonly tag: string }>(
    `${UP} SELECT t.upstream, t.repository, t.tag, t.digest FROM tags AS t
     WHERE t.digest IN (SELECT up.digest FROM up JOIN manifest_uses AS m ON m.digest = up.digest) LIMIT ${MOST_NAMES}`,
  );
  const linked = database.prepare<LinkedName>(
    `${UP} SELECT l.upstream, l.repository, l.digest, l.imported FROM links AS l
     WHERE l.confirmed > 0 AND l.digest IN (SELECT up.digest FROM up JOIN manifest_uses AS m ON m.digest = up.digest)
     LIMIT ${MOST_NAMES}`,
  );
  const named = database.prepare<{ readonly tag: string }>(
    `SELECT t.tag FROM tags AS t JOIN manifest_uses AS m ON m.digest = t.digest
     WHERE t.upstream = ? AND t.repository = ? LIMIT 1`,
  );
  // What signs or describes an image that stays, stays with it.
  const subjects = database.prepare<{ readonly subject: string }>(
    `SELECT r.subject FROM links AS l JOIN referrers AS r USING (upstream, repository, digest) WHERE l.digest = ? LIMIT ${MOST_NAMES}`,
  );
  const isNamed = (digest: string, spared: Spared) =>
    linked
      .all(digest)
      .some(
        (name) => spared.isKept(name) || (name.imported === 1 && !spared.canBeAsked(name, name.digest)),
      ) || tagged.all(digest).some((name) => spared.isKept(name) || !spared.canBeAsked(name, name.tag));
  const has = (digest: string, spared: Spared) =>
    isNamed(digest, spared) || subjects.all(digest).some(({ subject }) => isNamed(subject, spared));
  return {
    has,
    hasView: ({ upstream, repository: name }, spared) => {
      const at = name.indexOf("@");
      if (at >= 0) return has(name.slice(at + 1), spared);
      const where = { upstream, repository: name };
      const tag = named.get(upstream, name)?.tag;
      return spared.isKeptIn(where) || (tag !== undefined && !spared.canBeAsked(where, tag));
    },
  };
}
