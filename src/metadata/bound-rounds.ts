/**
 * Owns which rows of a database that is too large may go, and in which order each kind of them does. What is spared is passed over, page by
 * page, and a limited number of rows is looked at for one write, so that nobody waits for it. How large the database may be is
 * database-bound.ts's.
 */
import type { RepositoryKey } from "./metadata.ts";
import { type Spared, sparedRows } from "./spared-rows.ts";
import type { SqlDatabase, SqlValue } from "./sql-database.ts";
import { type BoundSums, READ_BOUND_SUMS } from "./sums.ts";

/** Deletes a few rows; how many. */
export type Round = () => number;

/** What is asked of rows before they may go, counted. */
export type Sparing = {
  /** As it is now. */
  readonly spared: () => Spared;
  /** There is more than may be spared at all: everything may go. */
  isOff: boolean;
  /** Looks that are left for this write. */
  looks: number;
  /** Something that could go was spared since it was set to false. */
  hasSpared: boolean;
};

/** Parts of the whole. Clients can cause any number of these rows by what they ask for, so they get no more than this. */
const LISTS_SHARE = 0.25;
const ODD_TAGS_SHARE = 0.1;
const VIEWS_SHARE = 0.1;

/** Of unusual tags, as many as go at once. */
const MOST_ODD_TAGS = 256;

/** What a short row takes with its index, roughly. */
const ROW_BYTES = 400;

/** In their order: the first that deletes something is enough for a while. */
export function boundRounds(
  database: SqlDatabase,
  maxBytes: () => number,
  sparing: Sparing,
): readonly Round[] {
  const views = oldestViews(database, sparing);
  const sums = database.prepare<BoundSums>(READ_BOUND_SUMS);
  const sum = (name: keyof BoundSums) => sums.get()?.[name] ?? 0;
  const surplusViews = () =>
    sum("views") > Math.floor((maxBytes() * VIEWS_SHARE) / ROW_BYTES) ? views() : 0;
  const odd = oddTags(database, maxBytes, () => sum("oddTags"));
  return [
    lists(database, maxBytes, () => sum("listBytes") + sum("lists") * ROW_BYTES),
    () => odd() + surplusViews(),
    orphans(database, sparing),
    coldest(database, sparing),
    views,
  ];
}

function counted(database: SqlDatabase, sql: string): (...values: SqlValue[]) => number {
  const changes = database.prepare<{ count: number }>("SELECT changes() AS count");
  const statement = database.prepare(sql);
  return (...values) => {
    statement.run(...values);
    return changes.get()?.count ?? 0;
  };
}

/** The oldest lists, while lists have more than their share. */
function lists(database: SqlDatabase, maxBytes: () => number, bytes: () => number): Round {
  const remove = counted(
    database,
    "DELETE FROM lists WHERE rowid IN (SELECT rowid FROM lists ORDER BY checked_at, rowid LIMIT 16)",
  );
  return () => (bytes() > maxBytes() * LISTS_SHARE ? remove() : 0);
}

/** The oldest tags that were asked for with unusual Accept lists, beyond their share. They are never the only row of what is kept. */
function oddTags(database: SqlDatabase, maxBytes: () => number, count: () => number): Round {
  const remove = counted(
    database,
    `DELETE FROM tags WHERE (upstream, repository, tag, accept_class) IN (
       SELECT upstream, repository, tag, accept_class FROM tags WHERE accept_class <> ''
       ORDER BY checked_at LIMIT ?)`,
  );
  return () => {
    const surplus = count() - Math.floor((maxBytes() * ODD_TAGS_SHARE) / ROW_BYTES);
    return surplus > 0 ? remove(Math.min(surplus, MOST_ODD_TAGS)) : 0;
  };
}

/** Notes on who may read what: another look at the upstream makes them again. */
function oldestViews(database: SqlDatabase, sparing: Sparing): Round {
  const { hasView } = sparedRows(database);
  type View = RepositoryKey & { readonly checkedAt: number };
  const page = database.prepare<View>(
    `SELECT upstream, repository, checked_at AS checkedAt FROM visibility
     WHERE (checked_at, upstream, repository) > (?, ?, ?) ORDER BY checked_at, upstream, repository LIMIT 64`,
  );
  const remove = counted(database, "DELETE FROM visibility WHERE upstream = ? AND repository = ?");
  return walk<View>(sparing, {
    page: (after) => page.all(after?.checkedAt ?? -1, after?.upstream ?? "", after?.repository ?? ""),
    isSpared: (view, spared) => hasView(view, spared),
    remove: ({ upstream, repository }) => remove(upstream, repository),
  });
}

/** Links to content that is not stored: the upstream confirms them again with one HEAD. */
function orphans(database: SqlDatabase, sparing: Sparing): Round {
  const { has } = sparedRows(database);
  type Link = RepositoryKey & { readonly digest: string; readonly isOrphan: number };
  const page = database.prepare<Link>(
    `SELECT upstream, repository, digest,
       NOT EXISTS (SELECT 1 FROM blobs WHERE blobs.digest = links.digest)
       AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.digest = links.digest) AS isOrphan
     FROM links WHERE (upstream, repository, digest) > (?, ?, ?)
     ORDER BY upstream, repository, digest LIMIT 500`,
  );
  const remove = counted(database, "DELETE FROM links WHERE upstream = ? AND repository = ? AND digest = ?");
  return walk<Link>(sparing, {
    page: (after) => page.all(after?.upstream ?? "", after?.repository ?? "", after?.digest ?? ""),
    couldGo: ({ isOrphan }) => isOrphan === 1,
    isSpared: (link, spared) => spared.isKeptIn(link) && has(link.digest, spared),
    remove: ({ upstream, repository, digest }) => remove(upstream, repository, digest),
  });
}

/** What was used longest ago of all that is left: a manifest goes with its own links, and a tag after its manifest. */
function coldest(database: SqlDatabase, sparing: Sparing): Round {
  const tags = tagsWithoutManifest(database, sparing);
  const manifests = oldestManifests(database, sparing);
  const list = counted(
    database,
    "DELETE FROM lists WHERE rowid IN (SELECT rowid FROM lists ORDER BY checked_at, rowid LIMIT 1)",
  );
  return () => tags() + list() + manifests();
}

function oldestManifests(database: SqlDatabase, sparing: Sparing): Round {
  const { has } = sparedRows(database);
  type Use = { readonly digest: string; readonly usedAt: number };
  const page = database.prepare<Use>(
    `SELECT digest, used_at AS usedAt FROM manifest_uses WHERE (used_at, digest) > (?, ?)
     ORDER BY used_at, digest LIMIT 16`,
  );
  const removals = ["manifests", "manifest_uses", "links"].map((table) =>
    counted(database, `DELETE FROM ${table} WHERE digest = ?`),
  );
  return walk<Use>(sparing, {
    page: (after) => page.all(after?.usedAt ?? Number.MIN_SAFE_INTEGER, after?.digest ?? ""),
    isSpared: ({ digest }, spared) => has(digest, spared),
    remove: ({ digest }) => removals.reduce((sum, remove) => sum + remove(digest), 0),
  });
}

function tagsWithoutManifest(database: SqlDatabase, sparing: Sparing): Round {
  type Tag = RepositoryKey & {
    readonly tag: string;
    readonly acceptClass: string;
    readonly digest: string;
    readonly checkedAt: number;
    readonly isEmpty: number;
  };
  const page = database.prepare<Tag>(
    `SELECT upstream, repository, tag, accept_class AS acceptClass, digest, checked_at AS checkedAt,
       NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.digest = t.digest) AS isEmpty
     FROM tags AS t WHERE (checked_at, upstream, repository, tag, accept_class) > (?, ?, ?, ?, ?)
     ORDER BY checked_at, upstream, repository, tag, accept_class LIMIT 64`,
  );
  const remove = counted(
    database,
    "DELETE FROM tags WHERE upstream = ? AND repository = ? AND tag = ? AND accept_class = ?",
  );
  return walk<Tag>(sparing, {
    page: (after) =>
      page.all(
        after?.checkedAt ?? Number.MIN_SAFE_INTEGER,
        ...[after?.upstream ?? "", after?.repository ?? "", after?.tag ?? "", after?.acceptClass ?? ""],
      ),
    couldGo: ({ isEmpty }) => isEmpty === 1,
    isSpared: (tag, spared) => tag.acceptClass === "" && spared.isKept(tag),
    remove: ({ upstream, repository, tag, acceptClass }) => remove(upstream, repository, tag, acceptClass),
  });
}

type Walk<Row> = {
  /** A few rows in their order, those after `after`; the first ones for undefined. */
  page(after: Row | undefined): Row[];
  /** False: it is not of the kind that goes at all. */
  couldGo?(row: Row): boolean;
  isSpared(row: Row, spared: Spared): boolean;
  /** How many rows are gone. */
  remove(row: Row): number;
};

/** Pages without anything that could go that are passed at once. */
const MOST_PAGES = 8;
/** After so many pages it begins again where rows are oldest: what was spared there may go by now. */
const FRESH_PAGES = 4_096;

/** Goes on where it was, and from the end to the beginning. */
function walk<Row>(sparing: Sparing, { page, couldGo = () => true, isSpared, remove }: Walk<Row>): Round {
  let after: Row | undefined;
  let passed = 0;
  return () => {
    for (let pages = 0; pages < MOST_PAGES && sparing.looks > 0; pages++) {
      passed += 1;
      if (passed % FRESH_PAGES === 0) after = undefined;
      const isFromStart = after === undefined;
      const rows = page(after);
      after = rows.at(-1);
      let removed = 0;
      for (const row of rows.filter(couldGo)) {
        sparing.looks -= 1;
        if (!sparing.isOff && isSpared(row, sparing.spared())) sparing.hasSpared = true;
        else removed += remove(row);
      }
      if (removed > 0) return removed;
      if (rows.length === 0 && isFromStart) return 0;
    }
    return 0;
  };
}
