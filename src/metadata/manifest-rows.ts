/** Owns the rows of `manifests`: exact bytes and media type by digest, with the links and edges that a document brings. */
import { parseDigest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import { edgeWriter } from "./edge-rows.ts";
import type { LinkRows } from "./link-rows.ts";
import type { KnowledgeCopies, Listed, Metadata, RepositoryKey } from "./metadata.ts";
import type { SqlDatabase } from "./sql-database.ts";

type ManifestRow = { readonly digest: string; readonly mediaType: string; readonly bytes: Uint8Array };

export type ManifestRows = Pick<
  Metadata,
  "recordManifest" | "manifest" | "forgetManifest" | "manifestsAfter"
> &
  KnowledgeCopies & {
    /** The synchronous form, for use inside a transaction. */
    put(where: RepositoryKey, manifest: Manifest, listed: readonly Listed[]): void;
  };

export function manifestRows(database: SqlDatabase, links: LinkRows): ManifestRows {
  const edges = edgeWriter(database);
  const upsert = database.prepare(
    `INSERT INTO manifests (digest, media_type, bytes) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET media_type = excluded.media_type, bytes = excluded.bytes`,
  );
  const one = database.prepare<ManifestRow>(
    "SELECT digest, media_type AS mediaType, bytes FROM manifests WHERE digest = ?",
  );
  const remove = database.prepare("DELETE FROM manifests WHERE digest = ?");
  const forgetUse = database.prepare("DELETE FROM manifest_uses WHERE digest = ?");
  // As recently used as the last used one: that needs no clock.
  const use = database.prepare(
    `INSERT OR REPLACE INTO manifest_uses (digest, used_at)
     SELECT ?, coalesce(max(used_at), 0) FROM manifest_uses`,
  );
  const after = database.prepare<ManifestRow>(
    "SELECT digest, media_type AS mediaType, bytes FROM manifests WHERE digest > ? ORDER BY digest LIMIT ?",
  );

  const keep = ({ digest, mediaType, bytes }: Manifest) => {
    upsert.run(digest, mediaType, bytes);
    edges.put({ digest, mediaType, bytes });
    use.run(digest);
  };
  const put: ManifestRows["put"] = (where, manifest, listed) => {
    const { digest, mediaType, bytes } = manifest;
    keep(manifest);
    const own = { size: bytes.length, isMeasured: true, mediaType };
    links.put(where, { kind: "confirmed", digest, ...own });
    for (const { digest, size } of listed) links.put(where, { kind: "stated", digest, size });
  };

  return {
    forgetManifest: async (digest) =>
      database.inTransaction(() => {
        remove.run(digest);
        forgetUse.run(digest);
      }),
    manifestsAfter: async (digest, limit) =>
      after.all(digest, limit).map((row) => ({ ...row, digest: parseDigest(row.digest) })),
    put,
    keepManifest: async (manifest) => database.inTransaction(() => keep(manifest)),
    recordManifest: async (where, manifest, listed) =>
      database.inTransaction(() => put(where, manifest, listed)),
    manifest: async (digest) => {
      const row = one.get(digest);
      return row && { ...row, digest: parseDigest(row.digest) };
    },
  };
}
