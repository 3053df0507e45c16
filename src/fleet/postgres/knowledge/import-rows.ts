/**
 * Owns how an import is written: all rows of one name in one transaction, so that a name which somebody brings in is never there by half. It
 * has no table of its own but `referrers`: what is attached to something else by its own word.
 */
import type { ImportRecord, Knowledge, LinkChange, RepositoryKey } from "../../../metadata/metadata.ts";
import { subjectOf } from "../../../oci/attachment.ts";
import type { FleetDatabase, FleetQuery } from "../fleet-database.ts";
import { changeLinks } from "./link-rows.ts";
import { type Document, linksOf, putManifests } from "./manifest-rows.ts";
import { putTag } from "./tag-rows.ts";

export function fleetImports(database: FleetDatabase): Pick<Knowledge, "recordImport"> {
  return {
    recordImport: (record) =>
      database.inTransaction(async (query) => {
        const { where, manifests, tag } = record;
        await putManifests(query, manifests);
        await changeLinks(query, where, importedLinks(record));
        await putReferrers(query, where, manifests);
        if (tag !== undefined) await putTag(query, tag);
      }),
  };
}

/** What a document lists and the owner brings in too is imported; its size stays that of its bytes. */
function importedLinks({ manifests, blobs }: ImportRecord): LinkChange[] {
  const documents = manifests.flatMap((document) => {
    const { digest, mediaType, bytes } = document.manifest;
    const own = { kind: "imported", digest, size: bytes.length, mediaType } as const;
    return [...linksOf(document), own];
  });
  return [
    ...documents,
    ...blobs.map((blob) => ({ kind: "imported", ...blob, mediaType: undefined }) as const),
  ];
}

async function putReferrers(
  query: FleetQuery,
  { upstream, repository }: RepositoryKey,
  documents: readonly Document[],
): Promise<void> {
  const attached = new Map(
    documents.flatMap(({ manifest: { digest, bytes } }) => {
      const subject = subjectOf(bytes);
      return subject === undefined ? [] : [[digest, subject] as const];
    }),
  );
  if (attached.size === 0) return;
  await query(
    `insert into referrers (upstream, repository, digest, subject)
     select $1, $2, g.* from unnest($3::text[], $4::text[]) as g (digest, subject) order by g.digest
     on conflict (upstream, repository, digest) do update set subject = excluded.subject`,
    [upstream, repository, [...attached.keys()], [...attached.values()]],
  );
}
