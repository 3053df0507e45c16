/**
 * Owns how an import is written: all rows of one name in one transaction, so that a name which somebody brings in is never there by half. It
 * has no table of its own: what is written are manifests, links, referrers and a tag, each by its own file.
 */
import { subjectOf } from "../oci/attachment.ts";
import type { LinkRows } from "./link-rows.ts";
import type { ManifestRows } from "./manifest-rows.ts";
import type { Metadata } from "./metadata.ts";
import { referrerWriter } from "./referrer-rows.ts";
import type { SqlDatabase } from "./sql-database.ts";
import type { TagRows } from "./tag-rows.ts";

export type ImportedRows = {
  readonly links: Pick<LinkRows, "put">;
  readonly manifests: Pick<ManifestRows, "put">;
  readonly tags: Pick<TagRows, "put">;
};

export function importRows(
  database: SqlDatabase,
  { links, manifests, tags }: ImportedRows,
): Pick<Metadata, "recordImport"> {
  const referrers = referrerWriter(database);
  return {
    recordImport: async ({ where, manifests: documents, blobs, tag }) =>
      database.inTransaction(() => {
        for (const { manifest, listed } of documents) {
          manifests.put(where, manifest, listed);
          const { digest, mediaType, bytes } = manifest;
          links.put(where, { kind: "imported", digest, size: bytes.length, mediaType });
          const subject = subjectOf(bytes);
          if (subject !== undefined) referrers.put(where, subject, digest);
        }
        for (const { digest, size } of blobs)
          links.put(where, { kind: "imported", digest, size, mediaType: undefined });
        if (tag !== undefined) tags.put(tag);
      }),
  };
}
