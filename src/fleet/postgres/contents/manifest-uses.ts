/** Owns when manifests were last asked for at any node of the fleet. Only a later use replaces an earlier one. */
import type { Digest } from "../../../oci/digest.ts";
import type { FleetDatabase } from "../fleet-database.ts";

const USE = `
  update manifest_uses as m set used_at = g.used_at
  from (select * from unnest($1::text[], $2::bigint[]) as g (digest, used_at) order by digest) as g
  where m.digest = g.digest and m.used_at < g.used_at`;

/** Last uses, epoch ms, in one statement; unknown digests are ignored. Throws `fleet-unavailable`. */
export async function recordManifestUses(
  database: FleetDatabase,
  uses: ReadonlyMap<Digest, number>,
): Promise<void> {
  if (uses.size > 0) await database.query(USE, [[...uses.keys()], [...uses.values()]]);
}
