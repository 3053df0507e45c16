/**
 * Owns when manifests were last asked for at any node of the fleet. Only a later use replaces an earlier one, and none is later than now by the
 * database's clock: a node whose date is ahead would keep names for ever.
 */
import type { Digest } from "../../../oci/digest.ts";
import type { FleetDatabase } from "../fleet-database.ts";

const NOW = "floor(extract(epoch from now()) * 1000)::bigint";

const USE = `
  update manifest_uses as m set used_at = g.used_at
  from (select digest, least(used_at, ${NOW}) as used_at
    from unnest($1::text[], $2::bigint[]) as g (digest, used_at) order by digest) as g
  where m.digest = g.digest and m.used_at < g.used_at`;

/** Last uses, epoch ms, in one statement; unknown digests are ignored. Throws `fleet-unavailable`. */
export async function recordManifestUses(
  database: FleetDatabase,
  uses: ReadonlyMap<Digest, number>,
): Promise<void> {
  if (uses.size > 0) await database.query(USE, [[...uses.keys()], [...uses.values()]]);
}

/** The database's date, epoch ms. Throws `fleet-unavailable`. */
export async function dateOf(database: FleetDatabase): Promise<number> {
  const [row] = await database.query<{ now: number }>(`select ${NOW} as now`);
  if (row === undefined) throw new TypeError("A date is one row.");
  return row.now;
}
