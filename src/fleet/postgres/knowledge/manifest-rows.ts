/** Owns the rows of `manifests`: exact bytes and media type by digest, with the edges that a document brings, and when it was used. */

import type { Knowledge, LinkChange, Listed } from "../../../metadata/metadata.ts";
import { parseDigest } from "../../../oci/digest.ts";
import type { Manifest } from "../../../oci/manifest.ts";
import type { FleetDatabase, FleetQuery } from "../fleet-database.ts";
import { putEdges } from "./edge-rows.ts";
import { changeLinks } from "./link-rows.ts";

type ManifestRow = { readonly digest: string; readonly mediaType: string; readonly bytes: Uint8Array };

export type Document = { readonly manifest: Manifest; readonly listed: readonly Listed[] };

const SELECT = `select digest, media_type as "mediaType", bytes from manifests`;

export function fleetManifests(
  database: FleetDatabase,
): Pick<Knowledge, "recordManifest" | "manifest" | "forgetManifest" | "manifestsAfter"> {
  return {
    recordManifest: (where, manifest, listed) =>
      database.inTransaction(async (query) => {
        const document = { manifest, listed };
        await putManifests(query, [document]);
        await changeLinks(query, where, linksOf(document));
      }),
    manifest: async (digest) => {
      const [row] = await database.query<ManifestRow>(`${SELECT} where digest = $1`, [digest]);
      return row && manifestOf(row);
    },
    forgetManifest: async (digest) => {
      await database.query(
        `with gone as (delete from manifest_uses where digest = $1) delete from manifests where digest = $1`,
        [digest],
      );
    },
    manifestsAfter: async (digest, limit) => {
      const after = `${SELECT} where digest > $1 order by digest limit $2`;
      return (await database.query<ManifestRow>(after, [digest, limit])).map(manifestOf);
    },
  };
}

/** What a document that came from a repository says of its links there. */
export function linksOf({ manifest: { digest, mediaType, bytes }, listed }: Document): LinkChange[] {
  const own = { kind: "confirmed", digest, size: bytes.length, isMeasured: true, mediaType } as const;
  return [own, ...listed.map((each) => ({ kind: "stated", ...each }) as const)];
}

/** The documents without their links; for use inside a transaction. */
export async function putManifests(query: FleetQuery, documents: readonly Document[]): Promise<void> {
  const manifests = [...new Map(documents.map(({ manifest }) => [manifest.digest, manifest])).values()];
  if (manifests.length === 0) return;
  const digests = manifests.map(({ digest }) => digest);
  // Nothing is written, nor locked, where it is stored already just so.
  const written = await query<{ digest: string }>(
    `insert into manifests (digest, media_type, bytes)
     select g.digest, g.media_type, decode(g.hex, 'hex')
     from unnest($1::text[], $2::text[], $3::text[]) as g (digest, media_type, hex) order by g.digest
     on conflict (digest) do update set media_type = excluded.media_type, bytes = excluded.bytes
     where (manifests.media_type, manifests.bytes) is distinct from (excluded.media_type, excluded.bytes)
     returning digest`,
    [
      digests,
      manifests.map(({ mediaType }) => mediaType),
      manifests.map(({ bytes }) => Buffer.from(bytes).toString("hex")),
    ],
  );
  const changed = new Set(written.map(({ digest }) => digest));
  const others = manifests.filter(({ digest }) => changed.has(digest));
  if (others.length > 0) await putEdges(query, others);
  await putUses(query, digests);
}

/** As recently used as the last used one: that needs no clock. */
async function putUses(query: FleetQuery, digests: readonly string[]): Promise<void> {
  await query(
    `insert into manifest_uses (digest, used_at)
     select g.digest, (select coalesce(max(used_at), 0) from manifest_uses) from unnest($1::text[]) as g (digest)
     order by g.digest
     on conflict (digest) do update set used_at = excluded.used_at where manifest_uses.used_at < excluded.used_at`,
    [digests],
  );
}

function manifestOf(row: ManifestRow): Manifest {
  return { ...row, digest: parseDigest(row.digest) };
}
