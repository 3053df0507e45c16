/** Owns the questions about one repository: its tags, its manifests, and sums over what the fleet has of it. It changes nothing. */
import type { RepositoryKey } from "../../../metadata/metadata.ts";
import type { RepositoryRows } from "../../../metadata/repository-rows.ts";
import { parseDigest } from "../../../oci/digest.ts";
import type { FleetDatabase } from "../fleet-database.ts";

type TagRow = {
  readonly tag: string;
  readonly acceptClass: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly checkedAt: number;
  readonly usedAt: number | null;
};

type ManifestRow = {
  readonly digest: string;
  readonly mediaType: string | null;
  readonly size: number | null;
  readonly usedAt: number;
};

type Stored = { readonly blobs: number; readonly size: number; readonly usedAt: number };
type Known = { readonly tags: number; readonly manifests: number; readonly usedAt: number };

const IN = "upstream = $1 and repository = $2";

const TAGS = `
  select t.tag, t.accept_class as "acceptClass", t.digest, t.media_type as "mediaType", t.size,
    t.checked_at as "checkedAt", u.used_at as "usedAt"
  from tags as t left join tag_uses as u using (upstream, repository, tag)
  where ${IN} order by t.tag, t.accept_class limit $3`;

const TAG_USE = `
  select coalesce(max(u.used_at), max(m.used_at)) as "usedAt"
  from tags as t left join tag_uses as u using (upstream, repository, tag)
    left join manifest_uses as m on m.digest = t.digest
  where ${IN} and tag = $3`;

const MANIFESTS = `
  select l.digest, l.media_type as "mediaType", l.confirmed_size as size, m.used_at as "usedAt"
  from links as l join manifest_uses as m on m.digest = l.digest
  where ${IN} and l.confirmed > 0 limit $3`;

const STORED = `
  select count(*) as blobs, coalesce(sum(b.size), 0) as size,
    coalesce(max(floor(extract(epoch from b.used_at) * 1000)), 0) as "usedAt"
  from links as l join blobs as b on b.digest = l.digest where ${IN}`;

const KNOWN = `
  select (select count(distinct tag) from tags where ${IN}) as tags, count(*) as manifests,
    greatest(coalesce(max(m.used_at), 0), (select coalesce(max(used_at), 0) from tag_uses where ${IN})) as "usedAt"
  from links as l join manifest_uses as m on m.digest = l.digest where ${IN} and l.confirmed > 0`;

const WANTED = `
  select coalesce(sum(size), 0) as size from (
    select e.child, max(coalesce(e.size, b.size, 0)) as size
    from links as l join edges as e on e.parent = l.digest left join blobs as b on b.digest = e.child
    where ${IN} and l.confirmed > 0 and e.role <> 'child' group by e.child) as parts`;

export function fleetRepositories(database: FleetDatabase): RepositoryRows {
  const one = async <Row extends object>(text: string, where: RepositoryKey) =>
    (await database.query<Row>(text, [where.upstream, where.repository]))[0];
  const stored = async (where: RepositoryKey) =>
    (await one<Stored>(STORED, where)) ?? { blobs: 0, size: 0, usedAt: 0 };
  const known = async (where: RepositoryKey) =>
    (await one<Known>(KNOWN, where)) ?? { tags: 0, manifests: 0, usedAt: 0 };
  return {
    sizeOf: async (where) => (await stored(where)).size,
    // Blobs are shared: their uses count only where nothing better is known of the repository.
    repositoryUsedAt: async (where) => (await known(where)).usedAt || (await stored(where)).usedAt,
    tagUsedAt: async ({ upstream, repository }, tag) => {
      const values = [upstream, repository, tag];
      const [row] = await database.query<{ usedAt: number | null }>(TAG_USE, values);
      return row?.usedAt || undefined;
    },
    tagsIn: async ({ upstream, repository }, limit) => {
      const rows = await database.query<TagRow>(TAGS, [upstream, repository, limit]);
      return rows.map((row) => ({
        ...row,
        digest: parseDigest(row.digest),
        usedAt: row.usedAt ?? undefined,
      }));
    },
    manifestsIn: async ({ upstream, repository }, limit) => {
      const rows = await database.query<ManifestRow>(MANIFESTS, [upstream, repository, limit]);
      return rows.map(({ digest, mediaType, size, usedAt }) => ({
        digest: parseDigest(digest),
        mediaType: mediaType ?? undefined,
        size: size ?? undefined,
        usedAt,
      }));
    },
    sumsOf: async (where) => {
      const [{ size, blobs, usedAt }, names] = await Promise.all([stored(where), known(where)]);
      const wanted = (await one<{ size: number }>(WANTED, where))?.size ?? 0;
      return { ...names, size, blobs, wanted: Math.max(wanted, 0), usedAt: names.usedAt || usedAt };
    },
  };
}
