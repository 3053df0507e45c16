/** Owns BucketRows over PostgreSQL: the objects of the bucket as the fleet's database has them. It deletes no object. */
import { type Digest, parseDigest } from "../../oci/digest.ts";
import type { Epoch, StoredObject } from "../fleet.ts";
import type { LeaseRows } from "../leases/lease-rows.ts";
import { parseObjectKey } from "../object-key.ts";
import type { BucketRows } from "../upkeep/bucket-rows.ts";
import type { FleetDatabase } from "./fleet-database.ts";

type ObjectRow = {
  readonly digest: string;
  readonly size: number;
  readonly objectKey: string;
  readonly epoch: Epoch;
};

const COLUMNS = `digest, size, object_key as "objectKey", epoch`;

/** `leases` are over the same database. */
export function postgresBucketRows(
  { query }: FleetDatabase,
  leases: Pick<LeaseRows, "raiseEpochs">,
): BucketRows {
  return {
    bytes: async () => {
      const [row] = await query<{ bytes: number }>(
        "select coalesce(sum(size), 0) as bytes from blobs where doomed_at is null",
      );
      return row?.bytes ?? 0;
    },
    coldest: async (limit) => {
      const rows = await query<ObjectRow>(
        `select ${COLUMNS} from blobs where doomed_at is null order by used_at, digest limit $1`,
        [limit],
      );
      return rows.map(objectOf);
    },
    doom: async (objects) => {
      await query(
        `update blobs as b set doomed_at = now() from unnest($1::text[], $2::bigint[]) as o(digest, epoch)
         where b.digest = o.digest and b.epoch = o.epoch and b.doomed_at is null`,
        [objects.map(({ digest }) => digest), objects.map(({ epoch }) => epoch)],
      );
    },
    doomUnneeded: (digests) => doomUnneeded(query, digests),
    touch: async (digests) => {
      await query(
        `update blobs set doomed_at = null, used_at = now()
         where digest = any($1::text[]) and (doomed_at is not null or used_at < now() - interval '10 minutes')`,
        [digests],
      );
    },
    revive: async (digests) => {
      await query("update blobs set doomed_at = null, used_at = now() where digest = any($1::text[])", [
        digests,
      ]);
    },
    takeDoomed: async (graceMs, limit) => {
      const rows = await query<ObjectRow>(
        `delete from blobs where digest in (
           select digest from blobs where doomed_at <= now() - $1::float8 * interval '1 millisecond'
           order by doomed_at, digest limit $2 for update skip locked)
           and doomed_at <= now() - $1::float8 * interval '1 millisecond'
         returning ${COLUMNS}`,
        [graceMs, limit],
      );
      return rows.map(objectOf);
    },
    known: async (keys) => {
      const digests = keys.flatMap((key) => parseObjectKey(key)?.digest ?? []);
      // Uploads of leases that were parked, or whose holder died, are for whoever goes on.
      const rows = await query<{ key: string }>(
        `select object_key as key from blobs where digest = any($1::text[]) and object_key = any($2::text[])
         union select object_key from leases where object_key = any($2::text[])`,
        [digests, keys],
      );
      return new Set(rows.map(({ key }) => key));
    },
    restore: async (objects) => {
      const rows = await query<{ digest: string }>(
        `insert into blobs (digest, size, object_key, epoch)
         select * from unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[])
         on conflict (digest) do nothing returning digest`,
        [
          objects.map(({ digest }) => digest),
          objects.map(({ size }) => size),
          objects.map(({ objectKey }) => objectKey),
          objects.map(({ epoch }) => epoch),
        ],
      );
      return rows.length;
    },
    missing: async (digests) => {
      const rows = await query<{ digest: string }>(
        `select d.digest from unnest($1::text[]) as d(digest)
         where not exists (select from blobs as b where b.digest = d.digest)`,
        [digests],
      );
      return rows.map(({ digest }) => parseDigest(digest));
    },
    identity: async () => {
      const [row] = await query<{ identity: string }>("select identity::text from granary_version");
      return row?.identity ?? "";
    },
    raiseEpochs: (last) => leases.raiseEpochs(last),
  };
}

/** A link of any repository, wherever it is, keeps the object. */
async function doomUnneeded(query: FleetDatabase["query"], digests: readonly Digest[]): Promise<void> {
  await query(
    `update blobs as b set doomed_at = now()
     where b.digest = any($1::text[]) and b.doomed_at is null and not exists (select from links as l where l.digest = b.digest)`,
    [digests],
  );
}

function objectOf({ digest, size, objectKey, epoch }: ObjectRow): StoredObject {
  return { digest: parseDigest(digest), size, objectKey, epoch };
}
