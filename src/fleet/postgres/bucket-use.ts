/** Owns the one statement that sums up the rows of the bucket's objects, for people to see. It gives up early rather than be in anybody's way. */
import type { BucketUse } from "../view/fleet-view.ts";
import type { FleetDatabase } from "./fleet-database.ts";

/** It reads every row: some seconds would be no outage, but are longer than whoever looks waits. */
const MOST_MS = 2_000;

const USE = `
  select count(*) filter (where doomed_at is null) as objects,
    coalesce(sum(size) filter (where doomed_at is null), 0) as bytes,
    count(*) filter (where doomed_at is not null) as "doomedObjects",
    coalesce(sum(size) filter (where doomed_at is not null), 0) as "doomedBytes"
  from blobs`;

/** Throws `fleet-unavailable`, also where it takes more than two seconds. */
export async function bucketUse(database: Pick<FleetDatabase, "inTransaction">): Promise<BucketUse> {
  return await database.inTransaction(async (query) => {
    await query(`set local statement_timeout = ${MOST_MS}`);
    const [use] = await query<BucketUse>(USE);
    if (use === undefined) throw new TypeError("A sum is one row.");
    return use;
  });
}
