/** Owns the rows of `visibility`: which repositories could be read without credentials when that was last probed. */
import type { Metadata } from "./metadata.ts";
import type { SqlDatabase } from "./sql-database.ts";

type VisibilityRow = { readonly is_public: number; readonly checked_at: number };

export type VisibilityRows = Pick<Metadata, "recordVisibility" | "visibility">;

export function visibilityRows(database: SqlDatabase): VisibilityRows {
  const upsert = database.prepare(
    `INSERT INTO visibility (upstream, repository, is_public, checked_at) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET is_public = excluded.is_public, checked_at = excluded.checked_at`,
  );
  const one = database.prepare<VisibilityRow>(
    "SELECT is_public, checked_at FROM visibility WHERE upstream = ? AND repository = ?",
  );
  return {
    recordVisibility: async ({ upstream, repository }, { isPublic, checkedAt }) =>
      upsert.run(upstream, repository, isPublic ? 1 : 0, checkedAt),
    visibility: async ({ upstream, repository }) => {
      const row = one.get(upstream, repository);
      return row && { isPublic: row.is_public === 1, checkedAt: row.checked_at };
    },
  };
}
