/** Owns the rows of `sightings`: which digests a tag was seen to have at its upstream by any node, and since when. */
import { MOST_SIGHTINGS, type Sighting, type SightingRows } from "../../../metadata/sighting-rows.ts";
import { parseDigest } from "../../../oci/digest.ts";
import type { FleetDatabase, FleetQuery, FleetValue } from "../fleet-database.ts";

type Row = Omit<Sighting, "digest"> & { readonly digest: string };

const COLUMNS = `s.upstream, s.repository, s.tag, s.digest, s.media_type as "mediaType", s.size,
  s.first_seen_at as "firstSeenAt", s.last_seen_at as "lastSeenAt", s.state`;
const SELECT = `select ${COLUMNS} from sightings as s where`;
const IN = "s.upstream = $1 and s.repository = $2";

/** Throws `fleet-unavailable` while the database does not answer. */
export function fleetSightings(database: FleetDatabase): SightingRows {
  const found = async (text: string, values: readonly FleetValue[]) =>
    (await database.query<Row>(text, values)).map(sightingOf);
  return {
    record: async (sighting) => {
      await put(database.query, sighting);
      await thin(database.query);
    },
    find: async ({ upstream, repository, tag, digest }) =>
      (
        await found(`${SELECT} ${IN} and s.tag = $3 and s.digest = $4`, [upstream, repository, tag, digest])
      )[0],
    ofDigest: ({ upstream, repository }, digest) =>
      found(`${SELECT} ${IN} and s.digest = $3 order by s.first_seen_at`, [upstream, repository, digest]),
    ofTag: ({ upstream, repository }, tag) =>
      found(`${SELECT} ${IN} and s.tag = $3 order by s.last_seen_at desc, s.digest`, [
        upstream,
        repository,
        tag,
      ]),
    held: (limit) =>
      found(`${SELECT} s.state = 'held' order by s.last_seen_at desc, s.digest limit $1`, [limit]),
    heldOver: async (limit) => {
      const rows = await database.query<Row & { served: string }>(
        `select ${COLUMNS}, t.digest as served from sightings as s join tags as t
           on t.upstream = s.upstream and t.repository = s.repository and t.tag = s.tag and t.digest <> s.digest
         where s.state = 'held' order by s.last_seen_at desc, s.digest limit $1`,
        [limit],
      );
      return rows.map(({ served, ...row }) => ({ held: sightingOf(row), served: parseDigest(served) }));
    },
  };
}

async function put(query: FleetQuery, sighting: Sighting): Promise<void> {
  const { upstream, repository, tag, digest, mediaType, size, firstSeenAt, lastSeenAt, state } = sighting;
  await query(
    `insert into sightings
       (upstream, repository, tag, digest, media_type, size, first_seen_at, last_seen_at, state)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (upstream, repository, tag, digest) do update set media_type = excluded.media_type,
       size = excluded.size, first_seen_at = excluded.first_seen_at, last_seen_at = excluded.last_seen_at,
       state = excluded.state`,
    [upstream, repository, tag, digest, mediaType, size, firstSeenAt, lastSeenAt, state],
  );
}

/** Clients cause rows by what they ask for: those that passed go first, the oldest of them before others. */
async function thin(query: FleetQuery): Promise<void> {
  const [row] = await query<{ count: number }>("select count(*) as count from sightings");
  const surplus = (row?.count ?? 0) - MOST_SIGHTINGS;
  if (surplus <= 0) return;
  await query(
    `delete from sightings where (upstream, repository, tag, digest) in
       (select upstream, repository, tag, digest from sightings
        order by state = 'passed' desc, last_seen_at limit $1)`,
    [surplus],
  );
}

function sightingOf(row: Row): Sighting {
  return { ...row, digest: parseDigest(row.digest) };
}
