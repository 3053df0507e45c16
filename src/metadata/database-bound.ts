/**
 * Owns how large the database may become. Beyond that, rows are deleted, least recently used first, a few with each write, so that nobody
 * waits for it; all of them can be learned again from the upstreams. Rows of blobs are never deleted here (the Janitor does that, with
 * their files), nor are links to content that is on disk.
 */
import type { SqlDatabase } from "./sql-database.ts";

export type DatabaseBound = {
  /** To be called after each write: deletes some of what is too much. */
  shrink(): void;
  /** Bytes that the rows and their indices take now. */
  used(): number;
};

/** Parts of the whole. Clients can cause any number of these rows by what they ask for, so they get no more than this. */
const LISTS_SHARE = 0.25;
const ODD_TAGS_SHARE = 0.1;
const VIEWS_SHARE = 0.1;

/** What a short row takes with its index, roughly. */
const ROW_BYTES = 400;
/** Links that are read at once, and how often that is done in a row until one is found that can be deleted. */
const LINKS_PAGE = 500;
const LINKS_PAGES = 8;
/** One write can bring a list of many MiB, and many small rows must be deleted for that. */
const MOST_ROUNDS = 200;
/** After nothing was found to delete, so many writes go by before it is tried again. */
const REST = 256;

type LinkKey = { readonly upstream: string; readonly repository: string; readonly digest: string };

export function databaseBound(database: SqlDatabase, maxBytes: number): DatabaseBound {
  const size = database.prepare<{ used: number; spare: number }>(
    `SELECT (p.page_count - f.freelist_count) * s.page_size AS used, f.freelist_count * s.page_size AS spare
     FROM pragma_page_count AS p, pragma_freelist_count AS f, pragma_page_size AS s`,
  );
  const used = () => size.get()?.used ?? 0;
  const rounds = [
    lists(database, maxBytes),
    surplus(database, maxBytes),
    orphans(database),
    coldest(database),
  ];
  const giveBack = database.prepare("PRAGMA incremental_vacuum(256)");
  let rest = 0;
  return {
    used,
    shrink: () => {
      if (rest-- > 0) return;
      rest = 0;
      for (let round = 0; round < MOST_ROUNDS && used() > maxBytes; round++) {
        let removed = 0;
        database.inTransaction(() => {
          for (const remove of rounds) {
            removed = remove();
            if (removed > 0) return;
          }
        });
        if (removed === 0) rest = REST;
        if (removed === 0) return;
      }
      if ((size.get()?.spare ?? 0) > maxBytes / 4) giveBack.all();
    },
  };
}

type Round = () => number;

function counted(database: SqlDatabase, sql: string): (...values: (string | number)[]) => number {
  const changes = database.prepare<{ count: number }>("SELECT changes() AS count");
  const statement = database.prepare(sql);
  return (...values) => {
    statement.run(...values);
    return changes.get()?.count ?? 0;
  };
}

/** The oldest lists, while lists have more than their share. */
function lists(database: SqlDatabase, maxBytes: number): Round {
  const total = database.prepare<{ bytes: number }>(
    `SELECT coalesce(sum(length(body)), 0) + count(*) * ${ROW_BYTES} AS bytes FROM lists`,
  );
  const remove = counted(
    database,
    "DELETE FROM lists WHERE rowid IN (SELECT rowid FROM lists ORDER BY checked_at, rowid LIMIT 16)",
  );
  return () => ((total.get()?.bytes ?? 0) > maxBytes * LISTS_SHARE ? remove() : 0);
}

/** The oldest tags that were asked for with unusual Accept lists, and the oldest notes on who may read what, beyond their shares. */
function surplus(database: SqlDatabase, maxBytes: number): Round {
  const most = (share: number) => Math.floor((maxBytes * share) / ROW_BYTES);
  const odd = counted(
    database,
    `DELETE FROM tags WHERE (upstream, repository, tag, accept_class) IN (
       SELECT upstream, repository, tag, accept_class FROM tags WHERE accept_class <> ''
       ORDER BY checked_at DESC LIMIT 256 OFFSET ?)`,
  );
  const views = counted(
    database,
    `DELETE FROM visibility WHERE (upstream, repository) IN (
       SELECT upstream, repository FROM visibility ORDER BY checked_at DESC LIMIT 256 OFFSET ?)`,
  );
  return () => odd(most(ODD_TAGS_SHARE)) + views(most(VIEWS_SHARE));
}

/** Links to content that is not stored: the upstream confirms them again with one HEAD. */
function orphans(database: SqlDatabase): Round {
  const page = database.prepare<LinkKey & { isOrphan: number }>(
    `SELECT upstream, repository, digest,
       NOT EXISTS (SELECT 1 FROM blobs WHERE blobs.digest = links.digest)
       AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.digest = links.digest) AS isOrphan
     FROM links WHERE (upstream, repository, digest) > (?, ?, ?)
     ORDER BY upstream, repository, digest LIMIT ${LINKS_PAGE}`,
  );
  const remove = database.prepare("DELETE FROM links WHERE upstream = ? AND repository = ? AND digest = ?");
  let from: readonly string[] = ["", "", ""];
  return () => {
    for (let pages = 0; pages < LINKS_PAGES; pages++) {
      const rows = page.all(...from);
      const last = rows.at(-1);
      from = last === undefined ? ["", "", ""] : [last.upstream, last.repository, last.digest];
      const gone = rows.filter(({ isOrphan }) => isOrphan === 1);
      for (const { upstream, repository, digest } of gone) remove.run(upstream, repository, digest);
      if (gone.length > 0) return gone.length;
    }
    return 0;
  };
}

/** What was used longest ago of all that is left: a manifest goes with its own links. */
function coldest(database: SqlDatabase): Round {
  const oldest = database.prepare<{ digest: string }>(
    "SELECT digest FROM manifest_uses ORDER BY used_at, digest LIMIT 16",
  );
  const manifest = counted(database, "DELETE FROM manifests WHERE digest = ?");
  const use = counted(database, "DELETE FROM manifest_uses WHERE digest = ?");
  const link = counted(database, "DELETE FROM links WHERE digest = ?");
  const tags = counted(
    database,
    `DELETE FROM tags WHERE (upstream, repository, tag, accept_class) IN (
       SELECT upstream, repository, tag, accept_class FROM tags AS t
       WHERE NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.digest = t.digest) ORDER BY checked_at LIMIT 64)`,
  );
  const views = counted(
    database,
    `DELETE FROM visibility WHERE (upstream, repository) IN (
       SELECT upstream, repository FROM visibility ORDER BY checked_at LIMIT 16)`,
  );
  const list = counted(
    database,
    "DELETE FROM lists WHERE rowid IN (SELECT rowid FROM lists ORDER BY checked_at, rowid LIMIT 1)",
  );
  return () => {
    let removed = tags() + list();
    for (const { digest } of oldest.all()) removed += manifest(digest) + use(digest) + link(digest);
    return removed > 0 ? removed : views();
  };
}
