/**
 * Owns the first version of the tables of a fleet's database: who is there and who has what, where blobs lie, and what all nodes know. It must
 * never be edited once it was released (migrations.ts). Names sort by their bytes ("C"), as in the database of one node.
 */

/** Who is there, who has which lease, where blobs lie, and news. Moments are PostgreSQL's own: it is the only clock that counts. */
const NODES = [
  "create sequence epochs",
  `create table nodes (
    node text collate "C" primary key,
    incarnation text not null,
    address text not null,
    zone text,
    version text not null,
    told jsonb not null default '{}',
    beaten_at timestamptz not null,
    expires_at timestamptz not null
  )`,
  `create table leases (
    key text collate "C" primary key,
    node text not null,
    incarnation text not null,
    epoch bigint not null,
    object_key text,
    upload_id text,
    acquired_at timestamptz not null default now()
  )`,
  "create index leases_by_node on leases (node)",
  `create table blobs (
    digest text collate "C" primary key,
    size bigint not null,
    object_key text not null,
    epoch bigint not null,
    doomed_at timestamptz,
    used_at timestamptz not null default now()
  )`,
  "create index blobs_by_use on blobs (used_at, digest)",
  "create index blobs_doomed on blobs (doomed_at) where doomed_at is not null",
  `create table budgets (
    upstream text collate "C" primary key,
    remaining integer,
    seen_at timestamptz,
    paused_until timestamptz
  )`,
  `create table changes (
    seq bigserial primary key,
    at timestamptz not null default now(),
    node text not null,
    incarnation text not null,
    kind text not null,
    body jsonb not null
  )`,
];

/** The documents, and what they list. Moments are epoch ms, as clients of the Knowledge give them. */
const MANIFESTS = [
  `create table manifests (
    digest text collate "C" primary key,
    media_type text not null,
    bytes bytea not null
  )`,
  `create table manifest_uses (
    digest text collate "C" primary key,
    used_at bigint not null
  )`,
  "create index manifest_uses_by_age on manifest_uses (used_at, digest)",
  `create table edges (
    parent text collate "C" not null references manifests on delete cascade,
    child text collate "C" not null,
    role text not null,
    place integer not null,
    platform text,
    size bigint,
    media_type text,
    primary key (parent, child, role)
  )`,
  "create index edges_by_child on edges (child)",
];

const TAGS = [
  `create table tags (
    upstream text collate "C" not null,
    repository text collate "C" not null,
    tag text collate "C" not null,
    accept_class text collate "C" not null,
    digest text collate "C" not null,
    media_type text not null,
    size bigint not null,
    checked_at bigint not null,
    imported_at bigint,
    primary key (upstream, repository, tag, accept_class)
  )`,
  "create index tags_by_digest on tags (digest)",
  `create table tag_uses (
    upstream text collate "C" not null,
    repository text collate "C" not null,
    tag text collate "C" not null,
    used_at bigint not null,
    primary key (upstream, repository, tag)
  )`,
  // The uses of a tag go with its last row.
  `create function forget_tag_uses() returns trigger language plpgsql as $$
    begin
      delete from tag_uses as u
      where u.upstream = old.upstream and u.repository = old.repository and u.tag = old.tag
        and not exists (select from tags as t
          where t.upstream = old.upstream and t.repository = old.repository and t.tag = old.tag);
      return null;
    end
  $$`,
  "create trigger uses_of_tag after delete on tags for each row execute function forget_tag_uses()",
];

const LINKS = [
  // Values of `confirmed` are in metadata/link-columns.ts.
  `create table links (
    upstream text collate "C" not null,
    repository text collate "C" not null,
    digest text collate "C" not null,
    size bigint,
    confirmed smallint not null,
    confirmed_size bigint,
    media_type text,
    is_imported boolean not null,
    primary key (upstream, repository, digest)
  )`,
  "create index links_by_digest on links (digest)",
  `create table referrers (
    upstream text collate "C" not null,
    repository text collate "C" not null,
    digest text collate "C" not null,
    subject text collate "C" not null,
    primary key (upstream, repository, digest),
    foreign key (upstream, repository, digest) references links on delete cascade
  )`,
  "create index referrers_by_subject on referrers (upstream, repository, subject, digest)",
  'create table leaving (digest text collate "C" primary key)',
];

const LISTS = [
  // `place` says which of two pages of the same moment is newer.
  `create table lists (
    upstream text collate "C" not null,
    repository text collate "C" not null,
    kind text collate "C" not null,
    name text collate "C" not null,
    body bytea not null,
    is_packed boolean not null,
    detail text,
    checked_at bigint not null,
    place bigint generated always as identity,
    primary key (upstream, repository, kind, name)
  )`,
  "create index lists_by_age on lists (checked_at)",
  `create table visibility (
    upstream text collate "C" not null,
    repository text collate "C" not null,
    is_public boolean not null,
    checked_at bigint not null,
    primary key (upstream, repository)
  )`,
  "create index visibility_by_age on visibility (checked_at)",
];

const RULES = [
  `create table rules (
    kind text collate "C" not null,
    pattern text collate "C" not null,
    detail text,
    made_at bigint not null,
    primary key (kind, pattern)
  )`,
  `create table sightings (
    upstream text collate "C" not null,
    repository text collate "C" not null,
    tag text collate "C" not null,
    digest text collate "C" not null,
    media_type text not null,
    size bigint not null,
    first_seen_at bigint not null,
    last_seen_at bigint not null,
    state text not null,
    primary key (upstream, repository, tag, digest)
  )`,
  "create index sightings_by_digest on sightings (upstream, repository, digest)",
  "create index sightings_by_state on sightings (state, last_seen_at)",
];

export const FIRST_TABLES: readonly string[] = [
  ...NODES,
  ...MANIFESTS,
  ...TAGS,
  ...LINKS,
  ...LISTS,
  ...RULES,
];
