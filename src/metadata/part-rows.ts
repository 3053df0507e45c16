/**
 * Owns the question what a manifest lists: its parts, those of the manifests that it lists, and which of them are here. It goes down a bounded
 * number of levels, and changes nothing.
 */
import { type Digest, parseDigest } from "../oci/digest.ts";
import type { EdgeRole } from "../oci/manifest-edges.ts";
import type { SqlDatabase } from "./sql-database.ts";

/** Something that a manifest, or one that an index lists, needs. */
export type Part = {
  /** The manifest that lists it. */
  readonly parent: Digest;
  readonly digest: Digest;
  readonly role: EdgeRole;
  /** Of the child through which it is listed. */
  readonly platform: string | undefined;
  readonly mediaType: string | undefined;
  /** Bytes, as stated. */
  readonly size: number | undefined;
  /** Bytes of the whole blob, where it is here. */
  readonly blob: number | undefined;
  /** For a child: its manifest is stored. */
  readonly isStored: boolean;
};

/** What a manifest says of something that it lists. */
type ListedAs = Pick<Part, "role" | "mediaType">;

export interface PartRows {
  /** As what a stored manifest lists this blob; one of them where several do. */
  listedAs(digest: Digest): Promise<ListedAs | undefined>;
  /** Everything that is listed by `digest` and by what that lists, level by level, at most `limit`. */
  partsOf(digest: Digest, limit: number): Promise<Part[]>;
}

/** Indices list images; some list indices. Nothing real is deeper. */
export const MOST_LEVELS = 4;

/** How a part lies in columns, the same in every database but for truth values. */
export type PartColumns = {
  readonly parent: string;
  readonly digest: string;
  readonly role: EdgeRole;
  readonly platform: string | null;
  readonly mediaType: string | null;
  readonly size: number | null;
  readonly blob: number | null;
};

type PartRow = PartColumns & { readonly isStored: number };

export function partRows(database: SqlDatabase): PartRows {
  const parts = database.prepare<PartRow>(
    `WITH RECURSIVE down(digest, platform, level) AS (
       SELECT ?, NULL, 0
       UNION SELECT e.child, coalesce(e.platform, down.platform), level + 1
       FROM down JOIN edges AS e ON e.parent = down.digest AND e.role = 'child' WHERE level < ${MOST_LEVELS})
     SELECT e.parent, e.child AS digest, e.role, coalesce(e.platform, down.platform) AS platform,
       e.media_type AS mediaType, e.size, b.size AS blob,
       EXISTS (SELECT 1 FROM manifest_uses AS m WHERE m.digest = e.child) AS isStored
     FROM down JOIN edges AS e ON e.parent = down.digest LEFT JOIN blobs AS b ON b.digest = e.child
     ORDER BY down.level, e.parent, e.place LIMIT ?`,
  );
  const listing = database.prepare<Pick<PartRow, "role" | "mediaType">>(
    "SELECT role, media_type AS mediaType FROM edges WHERE child = ? AND role <> 'child' LIMIT 1",
  );
  return {
    partsOf: async (digest, limit) => parts.all(digest, limit).map((row) => partOf(row, row.isStored === 1)),
    listedAs: async (digest) => {
      const row = listing.get(digest);
      return row && { role: row.role, mediaType: row.mediaType ?? undefined };
    },
  };
}

/** What a row stands for. */
export function partOf(row: PartColumns, isStored: boolean): Part {
  return {
    parent: parseDigest(row.parent),
    digest: parseDigest(row.digest),
    role: row.role,
    platform: row.platform ?? undefined,
    mediaType: row.mediaType ?? undefined,
    size: row.size ?? undefined,
    blob: row.blob ?? undefined,
    isStored,
  };
}
