/**
 * Owns the rows of `sightings`: which digests a tag was seen to have at its upstream, and since when. A new digest passes when that is long
 * enough ago. What "long enough" is, and what happens until then, is up to those who read it.
 */
import { type Digest, parseDigest } from "../oci/digest.ts";
import type { RepositoryKey } from "./metadata.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { type BoundSums, READ_BOUND_SUMS } from "./sums.ts";

/** `tag` is "" for a digest that was asked for by itself. */
export type SightingKey = RepositoryKey & { readonly tag: string; readonly digest: Digest };

export type Sighting = SightingKey & {
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** Epoch ms. */
  readonly firstSeenAt: number;
  /** Epoch ms. */
  readonly lastSeenAt: number;
  /** "approved" by a person, "passed" because it was let through. */
  readonly state: "held" | "approved" | "passed";
};

export interface SightingRows {
  /** Replaces the one under its key. Of all of them only the newest few thousand are kept, those that passed go first. */
  record(sighting: Sighting): Promise<void>;
  find(key: SightingKey): Promise<Sighting | undefined>;
  /** Of one digest in a repository, at whatever tags; the one seen first comes first. */
  ofDigest(where: RepositoryKey, digest: Digest): Promise<Sighting[]>;
  /** Of one tag, the one seen last comes first. */
  ofTag(where: RepositoryKey, tag: string): Promise<Sighting[]>;
  /** Held ones, the one seen last first. */
  held(limit: number): Promise<Sighting[]>;
  /** Held ones at whose tag something else is stored, each with that; the one seen last first. */
  heldOver(limit: number): Promise<readonly { readonly held: Sighting; readonly served: Digest }[]>;
}

/** Clients cause rows by what they ask for. */
export const MOST_SIGHTINGS = 20_000;

type Row = Omit<Sighting, "digest"> & { readonly digest: string };

const COLUMNS = `upstream, repository, tag, digest, media_type AS mediaType, size, first_seen_at AS firstSeenAt,
  last_seen_at AS lastSeenAt, state`;
const IN = "upstream = ? AND repository = ?";

export function sightingRows(database: SqlDatabase): SightingRows {
  const upsert = database.prepare(
    `INSERT INTO sightings
       (upstream, repository, tag, digest, media_type, size, first_seen_at, last_seen_at, state)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET media_type = excluded.media_type, size = excluded.size,
       first_seen_at = excluded.first_seen_at, last_seen_at = excluded.last_seen_at, state = excluded.state`,
  );
  const sums = database.prepare<BoundSums>(READ_BOUND_SUMS);
  const surplus = () => (sums.get()?.sightings ?? 0) - MOST_SIGHTINGS;
  const dropPassed = database.prepare(
    `DELETE FROM sightings WHERE (upstream, repository, tag, digest) IN
       (SELECT upstream, repository, tag, digest FROM sightings
        WHERE state = 'passed' ORDER BY last_seen_at LIMIT ?)`,
  );
  const drop = database.prepare(
    `DELETE FROM sightings WHERE (upstream, repository, tag, digest) IN
       (SELECT upstream, repository, tag, digest FROM sightings ORDER BY last_seen_at LIMIT ?)`,
  );
  const one = database.prepare<Row>(
    `SELECT ${COLUMNS} FROM sightings WHERE ${IN} AND tag = ? AND digest = ?`,
  );
  const byDigest = database.prepare<Row>(
    `SELECT ${COLUMNS} FROM sightings WHERE ${IN} AND digest = ? ORDER BY first_seen_at`,
  );
  const byTag = database.prepare<Row>(
    `SELECT ${COLUMNS} FROM sightings WHERE ${IN} AND tag = ? ORDER BY last_seen_at DESC, digest`,
  );
  const held = database.prepare<Row>(
    `SELECT ${COLUMNS} FROM sightings WHERE state = 'held' ORDER BY last_seen_at DESC, digest LIMIT ?`,
  );
  const over = database.prepare<Row & { readonly served: string }>(
    `SELECT s.upstream, s.repository, s.tag, s.digest, s.media_type AS mediaType, s.size,
       s.first_seen_at AS firstSeenAt, s.last_seen_at AS lastSeenAt, s.state, t.digest AS served
     FROM sightings AS s JOIN tags AS t
       ON t.upstream = s.upstream AND t.repository = s.repository AND t.tag = s.tag AND t.digest <> s.digest
     WHERE s.state = 'held' ORDER BY s.last_seen_at DESC, s.digest LIMIT ?`,
  );
  return {
    record: async (sighting) => {
      const { upstream, repository, tag, digest, mediaType, size, firstSeenAt, lastSeenAt, state } = sighting;
      upsert.run(upstream, repository, tag, digest, mediaType, size, firstSeenAt, lastSeenAt, state);
      if (surplus() > 0) dropPassed.run(surplus());
      if (surplus() > 0) drop.run(surplus());
    },
    find: async ({ upstream, repository, tag, digest }) => {
      const row = one.get(upstream, repository, tag, digest);
      return row && sightingOf(row);
    },
    ofDigest: async ({ upstream, repository }, digest) =>
      byDigest.all(upstream, repository, digest).map(sightingOf),
    ofTag: async ({ upstream, repository }, tag) => byTag.all(upstream, repository, tag).map(sightingOf),
    held: async (limit) => held.all(limit).map(sightingOf),
    heldOver: async (limit) =>
      over.all(limit).map(({ served, ...row }) => ({ held: sightingOf(row), served: parseDigest(served) })),
  };
}

function sightingOf(row: Row): Sighting {
  return { ...row, digest: parseDigest(row.digest) };
}
