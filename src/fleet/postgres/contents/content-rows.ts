/**
 * Owns the questions about contents of a fleet: which repositories there are, and who needs a digest. Each question reads a bounded stretch;
 * whoever wants all of it asks page by page. It changes nothing but last uses.
 */
import type { ContentRows, TagUse } from "../../../metadata/content-rows.ts";
import type { RepositoryKey } from "../../../metadata/metadata.ts";
import { MOST_LEVELS } from "../../../metadata/part-rows.ts";
import { type Digest, parseDigest } from "../../../oci/digest.ts";
import type { FleetDatabase } from "../fleet-database.ts";
import { fleetParts } from "./part-rows.ts";
import { fleetReferrers } from "./referrer-rows.ts";
import { fleetRepositories } from "./repository-rows.ts";

const IN = "upstream = $1 and repository = $2";
const MOST_ANCESTORS = 2_000;

/** From one repository to the next, however many links each has. */
const REPOSITORIES = `
  with recursive found (upstream, repository) as (
    (select upstream, repository from links where (upstream, repository) > ($1, $2)
     order by upstream, repository limit 1)
    union all
    select next.upstream, next.repository from found cross join lateral (
      select l.upstream, l.repository from links as l
      where (l.upstream, l.repository) > (found.upstream, found.repository)
      order by l.upstream, l.repository limit 1) as next)
  select upstream, repository from found limit $3`;

const UPSTREAMS = `
  with recursive found (upstream) as (
    (select upstream from links order by upstream limit 1)
    union all
    select next.upstream from found cross join lateral (
      select l.upstream from links as l where l.upstream > found.upstream order by l.upstream limit 1) as next)
  select upstream as name from found`;

const ANCESTORS = `
  with recursive up (digest, level) as (
    select $1::text collate "C", 0
    union select edges.parent, level + 1 from up join edges on edges.child = up.digest where level < ${MOST_LEVELS})
  select distinct digest from up limit ${MOST_ANCESTORS}`;

const TAGGED = `
  with recursive down (digest, level) as (
    select digest, 0 from tags where ${IN}
    union select e.child, level + 1 from down join edges as e on e.parent = down.digest and e.role = 'child'
    where level < ${MOST_LEVELS})
  select distinct digest from down`;

const NEEDED = `
  select l.digest from links as l join manifest_uses as m on m.digest = l.digest
  where l.confirmed > 0 and l.digest in (select $1::text union select parent from edges where child = $1) limit 1`;

const USE_TAGS = `
  insert into tag_uses (upstream, repository, tag, used_at)
  select g.upstream, g.repository, g.tag, max(g.used_at)
  from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as g (upstream, repository, tag, used_at)
  where exists (select from tags as t
    where t.upstream = g.upstream and t.repository = g.repository and t.tag = g.tag)
  group by g.upstream, g.repository, g.tag order by g.upstream, g.repository, g.tag
  on conflict (upstream, repository, tag) do update set used_at = excluded.used_at
  where tag_uses.used_at < excluded.used_at`;

/** Throws `fleet-unavailable` while the database does not answer. */
export function fleetContents(database: FleetDatabase): ContentRows {
  const { query } = database;
  return {
    ...fleetRepositories(database),
    ...fleetParts(database),
    ...fleetReferrers(database),
    ...digestQuestions(database),
    repositoriesAfter: ({ upstream, repository }, limit) =>
      query<RepositoryKey>(REPOSITORIES, [upstream, repository, limit]),
    holds: async ({ upstream, repository }) => {
      const rows = await query(`select digest from links where ${IN} limit 1`, [upstream, repository]);
      return rows.length > 0;
    },
    repositoriesWith: (digest, limit) =>
      query<RepositoryKey>("select upstream, repository from links where digest = $1 limit $2", [
        digest,
        limit,
      ]),
    upstreams: async () => (await query<{ name: string }>(UPSTREAMS)).map(({ name }) => name),
    recordTagUses: async (uses) => {
      await query(USE_TAGS, valuesOf(uses));
    },
    // Every manifest of a fleet has come with its edges.
    backfillEdges: async () => false,
  };
}

function digestQuestions({
  query,
}: FleetDatabase): Pick<
  ContentRows,
  "taggedIn" | "linkedLike" | "isNeeded" | "manifestsUnusedSince" | "ancestorsOf"
> {
  const digests = async (text: string, values: readonly (string | number)[]): Promise<Digest[]> =>
    (await query<{ digest: string }>(text, values)).map((row) => parseDigest(row.digest));
  return {
    ancestorsOf: (digest) => digests(ANCESTORS, [digest]),
    manifestsUnusedSince: (before, limit) =>
      digests("select digest from manifest_uses where used_at < $1 order by used_at, digest limit $2", [
        ...[before, limit],
      ]),
    taggedIn: async ({ upstream, repository }) => new Set(await digests(TAGGED, [upstream, repository])),
    linkedLike: ({ upstream, repository }, glob) => {
      const start = glob.replace("*", "");
      // Hex digits end before "g".
      const end = glob.endsWith("*") ? `${start}g` : start;
      const between = `select digest from links where ${IN} and digest >= $3 and digest <= $4`;
      return digests(between, [upstream, repository, start, end]);
    },
    isNeeded: async (digest) => (await digests(NEEDED, [digest])).length > 0,
  };
}

function valuesOf(uses: readonly TagUse[]) {
  return [
    uses.map(({ upstream }) => upstream),
    uses.map(({ repository }) => repository),
    uses.map(({ tag }) => tag),
    uses.map(({ usedAt }) => usedAt),
  ];
}
