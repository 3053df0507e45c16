/**
 * Owns how large the database may become. Beyond that, rows are deleted, least recently used first, a few with each write, so that nobody
 * waits for it; all of them can be learned again from the upstreams. Rows of blobs are never deleted here (the Janitor does that, with
 * their files), nor are links to content that is on disk, nor what is spared (spared-rows.ts). Where only such rows are left the database is
 * larger than it may be, and says so. Which rows may go, and in which order, is bound-rounds.ts's.
 */
import { boundRounds, type Sparing } from "./bound-rounds.ts";
import { NOTHING_SPARED, type Spared } from "./spared-rows.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { READ_SUMS, type Sums } from "./sums.ts";

/** All in bytes. */
export type DatabaseLimits = {
  /** What it may take. */
  readonly maxBytes: number;
  /** What it may take with what is spared: beyond that, nothing is. Left out: any amount. */
  readonly mostBytes?: number;
};

export type DatabaseBound = {
  /** To be called after each write: deletes some of what is too much. */
  shrink(): void;
  /** Bytes that it may take, as they are now. */
  readonly maxBytes: number;
  /** Bytes that the rows and their indices take now. */
  used(): number;
  /** Other limits from now on. What is beyond them goes with the next writes. */
  renew(limits: DatabaseLimits): void;
  /** What must stay from now on. */
  spare(spared: Spared): void;
  /** Set while it takes more than it may, and everything that could go was looked at and is spared. */
  tooMuch(): { readonly used: number; readonly maxBytes: number } | undefined;
};

/** One write can bring a list of many MiB, and many small rows must be deleted for that. */
const MOST_ROUNDS = 200;
/** Rows that are looked at for one write before they may go; one takes some ten microseconds. */
const MOST_LOOKS = 512;
/** After nothing was found to delete, so many writes go by before it is tried again: the first times, and when everything was looked at. */
const REST = 16;
const LONG_REST = 256;

export function databaseBound(database: SqlDatabase, limits: DatabaseLimits): DatabaseBound {
  let { maxBytes, mostBytes = Number.POSITIVE_INFINITY } = limits;
  let rules = NOTHING_SPARED;
  const size = database.prepare<{ used: number; spare: number }>(
    `SELECT (p.page_count - f.freelist_count) * s.page_size AS used, f.freelist_count * s.page_size AS spare
     FROM pragma_page_count AS p, pragma_freelist_count AS f, pragma_page_size AS s`,
  );
  const sums = database.prepare<Sums>(READ_SUMS);
  const manifests = () => sums.get()?.manifests ?? 0;
  const used = () => size.get()?.used ?? 0;
  const sparing: Sparing = { spared: () => rules, isOff: false, looks: 0, hasSpared: false };
  const rounds = boundRounds(database, () => maxBytes, sparing);
  const giveBack = database.prepare("PRAGMA incremental_vacuum(256)");
  let rest = 0;
  /** Rows that were looked at, and spared, since something was last deleted. */
  let spared = 0;
  const round = () => {
    let removed = 0;
    database.inTransaction(() => {
      for (const remove of rounds) {
        removed = remove();
        if (removed > 0) return;
      }
    });
    return removed;
  };
  const foundNothing = () => {
    spared += sparing.hasSpared ? MOST_LOOKS - sparing.looks : 0;
    rest = spared > 0 && spared < manifests() ? REST : LONG_REST;
  };
  return {
    get maxBytes() {
      return maxBytes;
    },
    used,
    renew: (next) => {
      ({ maxBytes, mostBytes = Number.POSITIVE_INFINITY } = next);
      [rest, spared] = [0, 0];
    },
    spare: (next) => {
      rules = next;
      [rest, spared] = [0, 0];
    },
    tooMuch: () => {
      const bytes = used();
      const isAllSpared = spared > 0 && spared >= manifests();
      return isAllSpared && bytes > maxBytes ? { used: bytes, maxBytes } : undefined;
    },
    shrink: () => {
      if (rest-- > 0 && used() <= mostBytes) return;
      rest = 0;
      Object.assign(sparing, { looks: MOST_LOOKS, hasSpared: false });
      for (let rounds = 0; rounds < MOST_ROUNDS && used() > maxBytes; rounds++) {
        sparing.isOff = used() > mostBytes;
        if (round() === 0) return foundNothing();
        spared = 0;
      }
      if ((size.get()?.spare ?? 0) > maxBytes / 4) giveBack.all();
    },
  };
}
