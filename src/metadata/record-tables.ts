/** Owns the tables of the records: what happened, for people who ask. As in schema.ts, a text that was ever released is never edited. */

/** `length` is how many characters `period` has: 7 a month, 10 a day, 13 an hour. */
export const RECORD_TABLES = `
  CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    facts TEXT NOT NULL,
    client TEXT
  ) STRICT;
  CREATE INDEX events_by_kind ON events (kind, id);

  CREATE TABLE pulls (
    id INTEGER PRIMARY KEY,
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT,
    digest TEXT,
    platform TEXT,
    client TEXT,
    agent TEXT NOT NULL,
    state TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    ended_at INTEGER,
    took_ms INTEGER NOT NULL,
    served INTEGER NOT NULL,
    size INTEGER,
    blobs INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    misses INTEGER NOT NULL,
    is_repeated INTEGER NOT NULL,
    reason TEXT
  ) STRICT;
  CREATE INDEX pulls_by_repository ON pulls (upstream, repository, id);
  CREATE INDEX pulls_by_state ON pulls (state, id);

  CREATE TABLE traffic (
    length INTEGER NOT NULL,
    period TEXT NOT NULL,
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    served INTEGER NOT NULL,
    fetched INTEGER NOT NULL,
    pulls INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    misses INTEGER NOT NULL,
    PRIMARY KEY (length, period, upstream, repository)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE client_traffic (
    day TEXT NOT NULL,
    client TEXT NOT NULL,
    served INTEGER NOT NULL,
    fetched INTEGER NOT NULL,
    pulls INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    misses INTEGER NOT NULL,
    PRIMARY KEY (day, client)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE traffic_total (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    since TEXT NOT NULL,
    served INTEGER NOT NULL,
    fetched INTEGER NOT NULL,
    pulls INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    misses INTEGER NOT NULL
  ) STRICT;
`;
