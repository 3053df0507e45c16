/** Owns the rows of `edges`: what each stored manifest lists. They are written with the manifest, and go with it. */
import type { Manifest } from "../../../oci/manifest.ts";
import { edgesOf } from "../../../oci/manifest-edges.ts";
import type { FleetQuery } from "../fleet-database.ts";

/** Replaces the edges of `manifests`, which are stored already; for use inside a transaction. */
export async function putEdges(query: FleetQuery, manifests: readonly Manifest[]): Promise<void> {
  const parents = manifests.map(({ digest }) => digest);
  await query("delete from edges where parent = any($1::text[])", [parents]);
  const edges = manifests.flatMap((manifest) =>
    [...edgesOf(manifest).entries()].map(([place, edge]) => ({ ...edge, parent: manifest.digest, place })),
  );
  // One edge for each role: of those that a document names twice the last counts.
  const rows = [
    ...new Map(edges.map((edge) => [`${edge.parent} ${edge.digest} ${edge.role}`, edge])).values(),
  ];
  if (rows.length === 0) return;
  await query(
    `insert into edges (parent, child, role, place, platform, size, media_type)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::bigint[], $7::text[])`,
    [
      rows.map(({ parent }) => parent),
      rows.map(({ digest }) => digest),
      rows.map(({ role }) => role),
      rows.map(({ place }) => place),
      rows.map(({ platform }) => platform ?? null),
      rows.map(({ size }) => size ?? null),
      rows.map(({ mediaType }) => mediaType ?? null),
    ],
  );
}
