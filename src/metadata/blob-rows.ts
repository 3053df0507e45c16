/** Owns the rows of `blobs`: what is on disk, how large, and when it was last used. Never touches a file. */
import { type Digest, parseDigest } from "../oci/digest.ts";
import type { BlobRecord, Metadata } from "./metadata.ts";
import type { SqlDatabase } from "./sql-database.ts";

type BlobRow = { readonly digest: string; readonly size: number; readonly usedAt: number };

const COLUMNS = "digest, size, used_at AS usedAt";

export function blobRows(
  database: SqlDatabase,
): Pick<Metadata, "recordBlob" | "forgetBlob" | "blob" | "coldestBlobs" | "allBlobs" | "totals" | "touch"> {
  const upsert = database.prepare(
    `INSERT INTO blobs (digest, size, used_at) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET size = excluded.size, used_at = excluded.used_at`,
  );
  const remove = database.prepare("DELETE FROM blobs WHERE digest = ?");
  const one = database.prepare<BlobRow>(`SELECT ${COLUMNS} FROM blobs WHERE digest = ?`);
  const all = database.prepare<BlobRow>(`SELECT ${COLUMNS} FROM blobs`);
  const coldest = database.prepare<BlobRow>(
    `SELECT ${COLUMNS} FROM blobs ORDER BY used_at, digest LIMIT ? OFFSET ?`,
  );
  const totals = database.prepare<{ blobs: number; bytes: number; manifests: number }>(
    `SELECT count(*) AS blobs, coalesce(sum(size), 0) AS bytes, (SELECT count(*) FROM manifests) AS manifests
     FROM blobs`,
  );
  // Batches may arrive out of order: a use never makes a blob look colder.
  const use = database.prepare("UPDATE blobs SET used_at = max(used_at, ?) WHERE digest = ?");

  return {
    recordBlob: async ({ digest, size, usedAt }) => upsert.run(digest, size, usedAt),
    forgetBlob: async (digest) => remove.run(digest),
    blob: async (digest) => {
      const row = one.get(digest);
      return row && blobOf(row);
    },
    coldestBlobs: async (limit, skip) => coldest.all(limit, skip).map(blobOf),
    allBlobs: async () => all.all().map(blobOf),
    totals: async () => totals.get() ?? { blobs: 0, bytes: 0, manifests: 0 },
    touch: async (uses: ReadonlyMap<Digest, number>) =>
      database.inTransaction(() => {
        for (const [digest, usedAt] of uses) use.run(usedAt, digest);
      }),
  };
}

/** Digests name files, so those from a file that others can write are parsed like any other input. */
function blobOf(row: BlobRow): BlobRecord {
  return { digest: parseDigest(row.digest), size: row.size, usedAt: row.usedAt };
}
