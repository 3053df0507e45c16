/**
 * Owns how names leave one repository of a fleet. What leaves is worked out by metadata/leaving.ts, from all that is known of the repository at
 * one moment. Bytes are never removed here, on no disk and in no bucket.
 */
import type { ContentRemoval } from "../../../metadata/content-removal.ts";
import {
  type Leaving,
  type LeavingQuestions,
  type LeavingRows,
  leavingRows,
} from "../../../metadata/leaving.ts";
import type { RepositoryKey } from "../../../metadata/metadata.ts";
import { type Digest, parseDigest } from "../../../oci/digest.ts";
import type { FleetDatabase, FleetQuery } from "../fleet-database.ts";

const IN = "upstream = $1 and repository = $2";

const EDGES = `
  with recursive down (digest) as (
    select unnest($1::text[]) collate "C"
    union select e.child from down join edges as e on e.parent = down.digest and e.role = 'child')
  select e.parent, e.child, e.role from down join edges as e on e.parent = down.digest`;

const OLD_LISTS = `
  delete from lists where (upstream, repository, kind, name) in (
    select upstream, repository, kind, name from lists as l where checked_at < $1 and not exists (
      select from links where links.upstream = l.upstream and links.repository = l.repository)
    order by checked_at limit $2)`;

/** Rows NAME@DIGEST are of one digest, others of a whole repository. */
const OLD_VIEWS = `
  delete from visibility where (upstream, repository) in (
    select upstream, repository from visibility as v where checked_at < $1 and not exists (
      select from links where links.upstream = v.upstream
        and links.repository = split_part(v.repository, '@', 1)
        and (position('@' in v.repository) = 0 or links.digest = split_part(v.repository, '@', 2)))
    order by checked_at limit $2)`;

/** Throws `fleet-unavailable` while the database does not answer. */
export function fleetRemoval(database: FleetDatabase): ContentRemoval {
  const { query } = database;
  return {
    whatLeaves: async (leaving) => leavingRows(leaving, await questionsOf(query, leaving)),
    linksTo: async (digest) => {
      const [row] = await query<{ count: number }>("select count(*) as count from links where digest = $1", [
        digest,
      ]);
      return row?.count ?? 0;
    },
    dropOldLists: async (before, limit) => {
      await query(OLD_LISTS, [before, limit]);
      await query(OLD_VIEWS, [before, limit]);
    },
    leave: (leaving) =>
      database.inTransaction(async (ask) => {
        const rows = leavingRows(leaving, await questionsOf(ask, leaving));
        await removeNames(ask, rows);
        await removeLinks(ask, rows);
        await removeUnlinked(ask, rows);
        return rows;
      }),
    stillLeaving: async (after, limit) => {
      const text = "select digest from leaving where digest > $1 order by digest limit $2";
      return (await query<{ digest: string }>(text, [after, limit])).map(({ digest }) => parseDigest(digest));
    },
    haveLeft: async (digests) => {
      await query("delete from leaving where digest = any($1::text[])", [digests]);
    },
  };
}

async function questionsOf(query: FleetQuery, leaving: Leaving): Promise<LeavingQuestions> {
  const { upstream, repository, digests } = leaving;
  const tags = await query<{ tag: string; acceptClass: string; digest: string }>(
    `select tag, accept_class as "acceptClass", digest from tags where ${IN}`,
    [upstream, repository],
  );
  const links = await query<{ digest: string; isManifest: boolean }>(
    `select l.digest, l.confirmed > 0 and m.digest is not null as "isManifest"
     from links as l left join manifest_uses as m on m.digest = l.digest where ${IN}`,
    [upstream, repository],
  );
  const manifests = links.filter(({ isManifest }) => isManifest).map(({ digest }) => parseDigest(digest));
  const roots = new Set([...tags.map(({ digest }) => digest), ...manifests, ...digests]);
  const edges = await edgesBelow(query, [...roots]);
  const listed = Map.groupBy(edges, ({ parent }) => parent);
  const here = new Set(manifests);
  const listing = Map.groupBy(
    edges.filter(({ parent }) => here.has(parent)),
    ({ digest }) => digest,
  );
  return {
    tags: () => tags.map((row) => ({ ...row, digest: parseDigest(row.digest) })),
    links: () => links.map(({ digest }) => parseDigest(digest)),
    manifests: () => manifests,
    listed: (parent) => listed.get(parent) ?? [],
    listing: (_, child) => (listing.get(child) ?? []).map(({ parent }) => parent),
  };
}

async function edgesBelow(query: FleetQuery, roots: readonly string[]) {
  const rows = await query<{ parent: string; child: string; role: string }>(EDGES, [roots]);
  return rows.map(({ parent, child, role }) => ({
    parent: parseDigest(parent),
    digest: parseDigest(child),
    role,
  }));
}

async function removeNames(
  query: FleetQuery,
  { upstream, repository, tags, isAll }: LeavingRows,
): Promise<void> {
  const where = [upstream, repository];
  await query(`delete from tags where ${IN} and tag = any($3::text[])`, [...where, tags]);
  if (!isAll) return;
  await query(`delete from lists where ${IN}`, where);
  // "@" is followed by "A" in the order of characters: these are also the rows NAME@DIGEST of the repository.
  await query(
    `delete from visibility where upstream = $1
       and (repository = $2 or repository >= $2 || '@' and repository < $2 || 'A')`,
    where,
  );
}

async function removeLinks(query: FleetQuery, rows: LeavingRows): Promise<void> {
  const { upstream, repository, unlinked } = rows;
  const values = [upstream, repository, inOrder(unlinked)];
  await query(
    `delete from links as l using (select digest from links
       where ${IN} and digest = any($3::text[]) order by digest for update) as gone
     where l.upstream = $1 and l.repository = $2 and l.digest = gone.digest`,
    values,
  );
  await query(`delete from lists where ${IN} and kind = 'referrers' and name = any($3::text[])`, values);
  const views = unlinked.map((digest) => viewOf(rows, digest));
  await query("delete from visibility where upstream = $1 and repository = any($2::text[])", [
    upstream,
    views,
  ]);
}

/** Of what no repository has a link to any more, documents go now; other bytes are written down until they are gone. */
async function removeUnlinked(query: FleetQuery, { manifests, unlinked }: LeavingRows): Promise<void> {
  const isUnlinked = "not exists (select from links as l where l.digest = g.digest)";
  const orphans = `select g.digest from unnest($1::text[]) as g (digest) where ${isUnlinked} order by g.digest`;
  await query(`delete from manifest_uses where digest in (${orphans})`, [manifests]);
  await query(`delete from manifests where digest in (${orphans})`, [manifests]);
  const documents = new Set(manifests);
  const others = unlinked.filter((digest) => !documents.has(digest));
  await query(`insert into leaving (digest) ${orphans} on conflict do nothing`, [others]);
}

function viewOf({ repository }: RepositoryKey, digest: Digest): string {
  return `${repository}@${digest}`;
}

function inOrder(digests: readonly Digest[]): Digest[] {
  return [...digests].sort();
}
