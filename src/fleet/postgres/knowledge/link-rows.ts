/**
 * Owns the rows of `links`. What a change makes of a link is link-change.ts's; here rows are locked in the order of their digests while it is
 * worked out, so that nodes which learn of the same links neither lose a change nor wait for each other in a circle.
 */

import { changedLink } from "../../../metadata/link-change.ts";
import { type LinkColumns, levelOf, linkOf } from "../../../metadata/link-columns.ts";
import type { Knowledge, Link, LinkChange, RepositoryKey } from "../../../metadata/metadata.ts";
import { type Digest, parseDigest } from "../../../oci/digest.ts";
import type { FleetDatabase, FleetQuery } from "../fleet-database.ts";

type LinkRow = LinkColumns & { readonly isImported: boolean };

const SELECT = `select digest, size, confirmed, confirmed_size as "confirmedSize", media_type as "mediaType", is_imported as "isImported"
  from links where upstream = $1 and repository = $2`;

/** Rows from six arrays, `$3` to `$8`. */
const GIVEN = `unnest($3::text[], $4::bigint[], $5::smallint[], $6::bigint[], $7::text[], $8::boolean[])
  as g (digest, size, confirmed, confirmed_size, media_type, is_imported)`;

const INSERT = `insert into links (upstream, repository, digest, size, confirmed, confirmed_size, media_type, is_imported)
  select $1, $2, g.* from ${GIVEN} order by g.digest on conflict do nothing returning digest`;

const UPDATE = `update links as l set size = g.size, confirmed = g.confirmed, confirmed_size = g.confirmed_size,
    media_type = g.media_type, is_imported = g.is_imported
  from ${GIVEN} where l.upstream = $1 and l.repository = $2 and l.digest = g.digest`;

/** The row as it was; where there was none, the one of `$3` to `$8` is written. Neither where another node was faster in that moment. */
const INSERT_OR_FIND = `with known as (${SELECT} and digest = ($3::text[])[1]),
  written as (
    insert into links (upstream, repository, digest, size, confirmed, confirmed_size, media_type, is_imported)
    select $1, $2, g.* from ${GIVEN} where not exists (select from known) on conflict do nothing returning true as "isWritten")
  select known.*, written."isWritten" from (select) as one left join known on true left join written on true`;

/** Written only where the row is still as `$9` to `$13` say. */
const REPLACE = `${UPDATE} and (l.size, l.confirmed, l.confirmed_size, l.media_type, l.is_imported)
  is not distinct from ($9::bigint, $10::smallint, $11::bigint, $12::text, $13::boolean) returning l.digest`;

type FoundRow = (LinkRow | { readonly [K in keyof LinkRow]: null }) & { readonly isWritten: true | null };

export function fleetLinks(database: FleetDatabase): Pick<Knowledge, "recordLink" | "link"> {
  return {
    link: async ({ upstream, repository }, digest) => {
      const [row] = await database.query<LinkRow>(`${SELECT} and digest = $3`, [
        upstream,
        repository,
        digest,
      ]);
      return row && linkOf(row, row.isImported);
    },
    recordLink: async (where, change) => {
      if (await isSimplyRecorded(database.query, where, change)) return;
      await database.inTransaction((query) => changeLinks(query, where, [change]));
    },
  };
}

/** Most of what is learned is new, or known already: then one statement is all, and a second one where it changes what is known. */
async function isSimplyRecorded(
  query: FleetQuery,
  where: RepositoryKey,
  change: LinkChange,
): Promise<boolean> {
  const values = valuesOf(where, [changedLink(undefined, change)]);
  const [row] = await query<FoundRow>(INSERT_OR_FIND, values);
  if (row?.isWritten === true) return true;
  if (row === undefined || row.digest === null) return false;
  const known = linkOf(row, row.isImported);
  const changed = changedLink(known, change);
  if (isSame(known, changed)) return true;
  const replaced = await query<{ digest: string }>(REPLACE, [
    ...valuesOf(where, [changed]),
    ...[row.size, row.confirmed, row.confirmedSize, row.mediaType, row.isImported],
  ]);
  return replaced.length > 0;
}

/** Applies `changes` in their order; for use inside a transaction, once, because a second call could lock rows in another order. */
export async function changeLinks(
  query: FleetQuery,
  where: RepositoryKey,
  changes: readonly LinkChange[],
): Promise<void> {
  const byDigest = Map.groupBy(changes, ({ digest }) => digest);
  let waiting = [...byDigest.keys()].sort();
  while (waiting.length > 0) {
    const known = await lockedLinks(query, where, waiting);
    const linkAfter = (digest: Digest, before?: Link) => {
      const link = byDigest.get(digest)?.reduce<Link | undefined>(changedLink, before);
      return link === undefined ? [] : [link];
    };
    const changed = [...known.values()].flatMap((before) =>
      linkAfter(before.digest, before).filter((link) => !isSame(before, link)),
    );
    if (changed.length > 0) await query(UPDATE, valuesOf(where, changed));
    const missing = waiting.filter((digest) => !known.has(digest));
    // Another node may have been faster with some: those are read as it has written them.
    const inserted = await insertedOf(
      query,
      where,
      missing.flatMap((digest) => linkAfter(digest)),
    );
    waiting = missing.filter((digest) => !inserted.has(digest));
  }
}

async function lockedLinks(
  query: FleetQuery,
  { upstream, repository }: RepositoryKey,
  digests: readonly Digest[],
): Promise<Map<Digest, Link>> {
  const rows = await query<LinkRow>(`${SELECT} and digest = any($3::text[]) order by digest for update`, [
    ...[upstream, repository, digests],
  ]);
  return new Map(rows.map((row) => linkOf(row, row.isImported)).map((link) => [link.digest, link]));
}

async function insertedOf(
  query: FleetQuery,
  where: RepositoryKey,
  links: readonly Link[],
): Promise<Set<Digest>> {
  if (links.length === 0) return new Set();
  const rows = await query<{ digest: string }>(INSERT, valuesOf(where, links));
  return new Set(rows.map(({ digest }) => parseDigest(digest)));
}

function valuesOf({ upstream, repository }: RepositoryKey, links: readonly Link[]) {
  return [
    upstream,
    repository,
    links.map(({ digest }) => digest),
    links.map(({ stated }) => stated ?? null),
    links.map(({ confirmed }) => levelOf(confirmed)),
    links.map(({ confirmed }) => confirmed?.size ?? null),
    links.map(({ confirmed }) => confirmed?.mediaType ?? null),
    links.map(({ isImported }) => isImported === true),
  ];
}

function isSame(a: Link, b: Link): boolean {
  return (
    a.stated === b.stated &&
    levelOf(a.confirmed) === levelOf(b.confirmed) &&
    a.confirmed?.size === b.confirmed?.size &&
    a.confirmed?.mediaType === b.confirmed?.mediaType &&
    a.isImported === b.isImported
  );
}
