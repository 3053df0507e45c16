/** Owns the questions about `referrers`: what was brought in that is attached to something else. The rows come with an import. */
import type { ReferrerRows } from "../../../metadata/referrer-rows.ts";
import { parseDigest } from "../../../oci/digest.ts";
import type { FleetDatabase } from "../fleet-database.ts";

const SELECT = "select digest from referrers where upstream = $1 and repository = $2";

export function fleetReferrers({ query }: FleetDatabase): ReferrerRows {
  return {
    isReferrer: async ({ upstream, repository }, digest) =>
      (await query(`${SELECT} and digest = $3`, [upstream, repository, digest])).length > 0,
    referrersIn: async ({ upstream, repository }, subject, limit) => {
      const rows = await query<{ digest: string }>(`${SELECT} and subject = $3 order by digest limit $4`, [
        ...[upstream, repository, subject, limit],
      ]);
      return rows.map((row) => parseDigest(row.digest));
    },
  };
}
