/**
 * Owns how large the database may become: what is beyond that goes, coldest first, a little with each write, so that nobody waits for it. All
 * of it can be asked for again. Rows of blobs never go here: those are the Janitor's, with their files; nor do links to what is on disk.
 */
import type { SqlDatabase } from "./sql-database.ts";

export type DatabaseBound = {
  /** To be called after each write: removes some of what is too much. */
  keep(): void;
  /** Bytes that the rows take now, with what belongs to them. */
  used(): number;
};

/** Of the whole: what clients can make more of than there is to know gets no more than these shares. */
const LISTS_SHARE = 0.25;
const ODD_TAGS_SHARE = 0.1;
const VIEWS_SHARE = 0.1;

/** What a row of a few names takes with its index, roughly. */
const ROW_BYTES = 400;
/** Of one look at the links: how many are looked at, and how often until one is found that can go. */
const LINKS_PAGE = 500;
const LINKS_PAGES = 8;
/** One write can bring a list of many MiB, which nothing smaller makes room for at once. */
const MOST_ROUNDS = 200;
/** Writes that pass without a look once nothing was found that can go. */
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
  const shrink = database.prepare("PRAGMA incremental_vacuum(256)");
  let rest = 0;
  return {
    used,
    keep: () => {
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
      if ((size.get()?.spare ?? 0) > maxBytes / 4) shrink.all();
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

/** The oldest answers for Accept lists of clients' own, and of who may read what, beyond their shares. */
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

/** Links to what is not here: the upstream confirms them again with one HEAD. */
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
