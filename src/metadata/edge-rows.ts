/**
 * Owns the rows of `edges`: what each stored manifest lists. They are written with the manifest, and go with it; those of manifests from before
 * there were edges are added bit by bit.
 */
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import { edgesOf } from "../oci/manifest-edges.ts";
import type { SqlDatabase } from "./sql-database.ts";

export type EdgeWriter = {
  /** Replaces the edges of `manifest`; for use inside a transaction. */
  put(manifest: Manifest): void;
};

type StoredManifest = { readonly digest: Digest; readonly mediaType: string; readonly bytes: Uint8Array };

/** Manifests that are read again at once: a few milliseconds of work. */
const BATCH = 8;

export function edgeWriter(database: SqlDatabase): EdgeWriter {
  const clear = database.prepare("DELETE FROM edges WHERE parent = ?");
  const insert = database.prepare(
    `INSERT OR REPLACE INTO edges (parent, child, role, place, platform, size, media_type)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  return {
    put: (manifest) => {
      clear.run(manifest.digest);
      for (const [place, edge] of edgesOf(manifest).entries()) {
        const { digest, role, platform = null, size = null, mediaType = null } = edge;
        insert.run(manifest.digest, digest, role, place, platform, size, mediaType);
      }
    },
  };
}

/**
 * Adds the edges of the next few manifests that were stored before there were edges. False when nothing is left to be done. It goes on where
 * it was after a restart.
 */
export function backfillOf(database: SqlDatabase): () => boolean {
  const edges = edgeWriter(database);
  const place = database.prepare<{ after: string }>("SELECT after_digest AS after FROM edge_backfill");
  const next = database.prepare<StoredManifest>(
    `SELECT digest, media_type AS mediaType, bytes FROM manifests WHERE digest > ? ORDER BY digest LIMIT ${BATCH}`,
  );
  const move = database.prepare("UPDATE edge_backfill SET after_digest = ?");
  const end = database.prepare("DELETE FROM edge_backfill");
  return () => {
    const after = place.get()?.after;
    if (after === undefined) return false;
    database.inTransaction(() => {
      const manifests = next.all(after);
      for (const manifest of manifests) edges.put(manifest);
      const last = manifests.at(-1);
      if (last === undefined || manifests.length < BATCH) end.run();
      else move.run(last.digest);
    });
    return true;
  };
}
