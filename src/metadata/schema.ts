/**
 * Owns the tables, as a list of migrations: entry n takes a database from version n to n + 1 (`PRAGMA user_version`). An
 * entry that was ever released must never be edited; add another.
 */

import { RECORD_TABLES } from "./record-tables.ts";

/** Tables are STRICT, so that a wrong type fails when it is written and not when it is served. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE blobs (
    digest TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    used_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blobs_by_use ON blobs (used_at, digest, size);

  CREATE TABLE manifests (
    digest TEXT PRIMARY KEY,
    media_type TEXT NOT NULL,
    bytes BLOB NOT NULL
  ) STRICT;

  CREATE TABLE tags (
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    accept_class TEXT NOT NULL,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    checked_at INTEGER NOT NULL,
    PRIMARY KEY (upstream, repository, tag, accept_class)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE links (
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER,
    PRIMARY KEY (upstream, repository, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX links_by_digest ON links (digest);

  CREATE TABLE tag_lists (
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    query TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (upstream, repository, query)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE visibility (
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    is_public INTEGER NOT NULL,
    checked_at INTEGER NOT NULL,
    PRIMARY KEY (upstream, repository)
  ) STRICT, WITHOUT ROWID;
  `,
  // That a document lists a digest does not prove that it is there. The values of `confirmed` are in link-columns.ts.
  `
  ALTER TABLE links ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE links ADD COLUMN confirmed_size INTEGER;
  ALTER TABLE links ADD COLUMN media_type TEXT;
  `,
  // Nobody knows which of the blobs were hashed and which were only found by their names: none counts as verified.
  `
  ALTER TABLE blobs ADD COLUMN verified_at INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX blobs_by_verification ON blobs (verified_at, digest);
  `,
  // Each digest that anybody may read gets a row of its own: so does everything that is stored of a public repository.
  `
  INSERT OR IGNORE INTO visibility (upstream, repository, is_public, checked_at)
    SELECT links.upstream, links.repository || '@' || links.digest, 1, visibility.checked_at
    FROM links JOIN visibility ON visibility.upstream = links.upstream AND visibility.repository = links.repository
    WHERE visibility.is_public = 1;
  `,
  // The old lists were stored by the queries of clients. They are learned again.
  `
  DROP TABLE tag_lists;
  CREATE TABLE lists (
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    is_packed INTEGER NOT NULL,
    detail TEXT,
    checked_at INTEGER NOT NULL,
    PRIMARY KEY (upstream, repository, kind, name)
  ) STRICT;
  CREATE INDEX lists_by_age ON lists (checked_at);
  CREATE INDEX tags_by_age ON tags (checked_at);
  ALTER TABLE manifests ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX manifests_by_use ON manifests (used_at);
  `,
  // A table of its own, so that a use does not write the whole manifest again.
  `
  DROP INDEX manifests_by_use;
  ALTER TABLE manifests DROP COLUMN used_at;
  CREATE TABLE manifest_uses (
    digest TEXT PRIMARY KEY,
    used_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX manifest_uses_by_age ON manifest_uses (used_at, digest);
  INSERT INTO manifest_uses (digest, used_at) SELECT digest, 0 FROM manifests;
  CREATE INDEX visibility_by_age ON visibility (checked_at);
  `,
  `
  CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL
  ) STRICT;
  `,
  // What the owner of a Granary brings in is served whatever the upstream says of it.
  `
  ALTER TABLE links ADD COLUMN imported INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE tags ADD COLUMN imported_at INTEGER;
  `,
  // What a manifest lists, so that "how much of it is here" and "what goes with it" are one query each. Manifests of today are read again in
  // the background: their place in that work is the row of edge_backfill, which goes when it is done.
  `
  CREATE TABLE edges (
    parent TEXT NOT NULL,
    child TEXT NOT NULL,
    role TEXT NOT NULL,
    place INTEGER NOT NULL,
    platform TEXT,
    size INTEGER,
    media_type TEXT,
    PRIMARY KEY (parent, child, role)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX edges_by_child ON edges (child);
  CREATE TRIGGER edges_of_manifest AFTER DELETE ON manifests
    BEGIN DELETE FROM edges WHERE parent = old.digest; END;
  CREATE TABLE edge_backfill (after_digest TEXT NOT NULL) STRICT;
  INSERT INTO edge_backfill (after_digest) SELECT '' WHERE EXISTS (SELECT 1 FROM manifests);

  CREATE TABLE tag_uses (
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    used_at INTEGER NOT NULL,
    PRIMARY KEY (upstream, repository, tag)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER uses_of_tag AFTER DELETE ON tags
    WHEN NOT EXISTS (SELECT 1 FROM tags
      WHERE upstream = old.upstream AND repository = old.repository AND tag = old.tag)
    BEGIN DELETE FROM tag_uses
      WHERE upstream = old.upstream AND repository = old.repository AND tag = old.tag; END;

  CREATE TABLE rules (
    kind TEXT NOT NULL,
    pattern TEXT NOT NULL,
    detail TEXT,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (kind, pattern)
  ) STRICT, WITHOUT ROWID;
  `,
  RECORD_TABLES,
  // Since when a tag is seen with a digest: for upstreams where what is new has to wait.
  `
  CREATE TABLE sightings (
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (upstream, repository, tag, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sightings_by_digest ON sightings (upstream, repository, digest);
  CREATE INDEX sightings_by_state ON sightings (state, last_seen_at);
  `,
  // Signatures and their like that were imported: no upstream lists them.
  `
  CREATE TABLE referrers (
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (upstream, repository, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX referrers_by_subject ON referrers (upstream, repository, subject, digest);
  CREATE TRIGGER referrers_of_link AFTER DELETE ON links
    BEGIN DELETE FROM referrers
      WHERE upstream = old.upstream AND repository = old.repository AND digest = old.digest; END;
  `,
  // Which tags need a manifest is asked whenever one could go.
  `
  CREATE INDEX tags_by_digest ON tags (digest);
  `,
  // Digests whose names a person has removed, and whose bytes may lie there still.
  `
  CREATE TABLE leaving (digest TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  `,
  // There are few of these among many tags, and the oldest of them go first.
  `
  CREATE INDEX odd_tags_by_age ON tags (checked_at) WHERE accept_class <> '';
  `,
];

/** The version that this Granary writes; a file with a higher one is of a newer Granary. */
export const SCHEMA_VERSION = MIGRATIONS.length;
