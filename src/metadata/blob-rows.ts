/** Owns the rows of `blobs`: which are on disk, how large they are, and when they were last used and verified. Never touches a file. */
import { type Digest, parseDigest } from "../oci/digest.ts";
import type { BlobRecord, Metadata } from "./metadata.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { READ_SUMS, type Sums } from "./sums.ts";

type BlobRow = {
  readonly digest: string;
  readonly size: number;
  readonly usedAt: number;
  /** 0: never. */
  readonly verifiedAt: number;
};

const COLUMNS = "digest, size, used_at AS usedAt, verified_at AS verifiedAt";

type BlobMethods =
  | "recordBlob"
  | "forgetBlobs"
  | "blob"
  | "coldestBlobs"
  | "blobsAfter"
  | "recordVerified"
  | "blobsToVerify"
  | "sums"
  | "touch"
  | "clampUses";

export function blobRows(database: SqlDatabase): Pick<Metadata, BlobMethods> {
  const upsert = database.prepare(
    `INSERT INTO blobs (digest, size, used_at, verified_at) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET size = excluded.size, used_at = excluded.used_at, verified_at = excluded.verified_at`,
  );
  const verify = database.prepare("UPDATE blobs SET verified_at = ? WHERE digest = ?");
  // Two queries, each of which reads one stretch of an index: as one query with OR it would read all of the index.
  const unverified = database.prepare<BlobRow>(
    `SELECT ${COLUMNS} FROM blobs WHERE verified_at < ? ORDER BY verified_at, digest LIMIT ?`,
  );
  const verifiedLater = database.prepare<BlobRow>(
    `SELECT ${COLUMNS} FROM blobs WHERE verified_at > ? ORDER BY verified_at, digest LIMIT ?`,
  );
  const remove = database.prepare("DELETE FROM blobs WHERE digest = ?");
  const one = database.prepare<BlobRow>(`SELECT ${COLUMNS} FROM blobs WHERE digest = ?`);
  const following = database.prepare<BlobRow>(
    `SELECT ${COLUMNS} FROM blobs WHERE digest > ? ORDER BY digest LIMIT ?`,
  );
  const coldest = database.prepare<BlobRow>(
    `SELECT ${COLUMNS} FROM blobs WHERE (used_at, digest) > (?, ?) ORDER BY used_at, digest LIMIT ?`,
  );
  const sums = database.prepare<Sums>(READ_SUMS);
  // Batches may arrive out of order: a use never makes a blob look colder.
  const use = database.prepare("UPDATE blobs SET used_at = max(used_at, ?) WHERE digest = ?");
  const useManifest = database.prepare("UPDATE manifest_uses SET used_at = max(used_at, ?) WHERE digest = ?");
  const future = database.prepare<{ count: number }>("SELECT count(*) AS count FROM blobs WHERE used_at > ?");
  // Only their order is right; it stays the same.
  const clamp = database.prepare(
    `UPDATE blobs SET used_at = ? - ranked.place
     FROM (SELECT digest AS ranked_digest, row_number() OVER (ORDER BY used_at DESC, digest DESC) AS place
           FROM blobs WHERE used_at > ?) AS ranked
     WHERE digest = ranked.ranked_digest`,
  );

  return {
    recordBlob: async ({ digest, size, usedAt, verifiedAt = 0 }) =>
      upsert.run(digest, size, usedAt, verifiedAt),
    recordVerified: async (digest, verifiedAt) => verify.run(verifiedAt, digest),
    blobsToVerify: async (since, now, limit) => {
      const rows = unverified.all(since, limit);
      // A date in the future cannot be true: nobody knows when the blob was verified.
      if (rows.length < limit) rows.push(...verifiedLater.all(now, limit - rows.length));
      return rows.map(blobOf);
    },
    forgetBlobs: async (digests) =>
      database.inTransaction(() => {
        for (const digest of digests) remove.run(digest);
      }),
    blob: async (digest) => {
      const row = one.get(digest);
      return row && blobOf(row);
    },
    coldestBlobs: async (limit, after) =>
      coldest.all(after?.usedAt ?? Number.MIN_SAFE_INTEGER, after?.digest ?? "", limit).map(blobOf),
    blobsAfter: async (digest, limit) => following.all(digest, limit).map(blobOf),
    sums: async () => sums.get() ?? { blobs: 0, bytes: 0, manifests: 0 },
    touch: async (uses: ReadonlyMap<Digest, number>) =>
      database.inTransaction(() => {
        for (const [digest, usedAt] of uses) {
          use.run(usedAt, digest);
          useManifest.run(usedAt, digest);
        }
      }),
    clampUses: async (now, before) => {
      if ((future.get(now)?.count ?? 0) > 0) clamp.run(before, now);
    },
  };
}

/** Digests become names of files, so those from a database that others could write to are parsed like any other input. */
function blobOf({ digest, size, usedAt, verifiedAt }: BlobRow): BlobRecord {
  return { digest: parseDigest(digest), size, usedAt, ...(verifiedAt > 0 && { verifiedAt }) };
}
