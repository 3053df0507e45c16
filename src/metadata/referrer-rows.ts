/**
 * Owns the rows of `referrers`: what was brought in that says of itself that it is attached to something else, in each repository. They are
 * written with an import, and go with the link of what is attached. What upstreams list is stored as they gave it (list-rows.ts), never here.
 */
import { type Digest, parseDigest } from "../oci/digest.ts";
import type { RepositoryKey } from "./metadata.ts";
import type { SqlDatabase } from "./sql-database.ts";

export interface ReferrerRows {
  /** What was brought into the repository and is attached to `subject`, in the order of the digests, at most `limit`. */
  referrersIn(where: RepositoryKey, subject: Digest, limit: number): Promise<Digest[]>;
  /** Whether `digest` was brought into the repository and is attached to something. */
  isReferrer(where: RepositoryKey, digest: Digest): Promise<boolean>;
}

export type ReferrerWriter = {
  /** `digest` is attached to `subject` there; for use inside a transaction. */
  put(where: RepositoryKey, subject: Digest, digest: Digest): void;
};

export function referrerRows(database: SqlDatabase): ReferrerRows {
  const all = database.prepare<{ digest: string }>(
    "SELECT digest FROM referrers WHERE upstream = ? AND repository = ? AND subject = ? ORDER BY digest LIMIT ?",
  );
  const one = database.prepare<{ digest: string }>(
    "SELECT digest FROM referrers WHERE upstream = ? AND repository = ? AND digest = ?",
  );
  return {
    isReferrer: async ({ upstream, repository }, digest) =>
      one.get(upstream, repository, digest) !== undefined,
    referrersIn: async ({ upstream, repository }, subject, limit) =>
      all.all(upstream, repository, subject, limit).map((row) => parseDigest(row.digest)),
  };
}

export function referrerWriter(database: SqlDatabase): ReferrerWriter {
  const upsert = database.prepare(
    "INSERT OR REPLACE INTO referrers (upstream, repository, digest, subject) VALUES (?, ?, ?, ?)",
  );
  return {
    put: ({ upstream, repository }, subject, digest) => upsert.run(upstream, repository, digest, subject),
  };
}
