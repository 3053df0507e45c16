/**
 * Owns the names over a large store: tags in repositories, each with a manifest of its own that lists ten blobs of the store and one of a few
 * base layers that many share, with the links, edges and uses that a pull of each would have left. Rows are written as they are, not by pulling.
 */
import { createHash } from "node:crypto";
import Sqlite from "better-sqlite3";
import { type Digest, parseDigest } from "../../src/oci/digest.ts";
import { MANIFEST_TYPE } from "./material.ts";

export const UPSTREAM = "docker.io";

/** Where tags are, and what they list. */
export type LargeNames = {
  readonly tags: number;
  /** Of the tag `index`. */
  nameOf(index: number): { readonly repository: string; readonly tag: string };
  /** The blobs that it lists. */
  blobsOf(index: number): readonly Digest[];
};

const TAGS_EACH = 10;
const BLOBS_EACH = 10;
const BASES = 10;
const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";

type Ask = {
  /** Path of the database. */
  readonly path: string;
  readonly tags: number;
  /** Blobs in the store; tags share them where they are fewer than the tags list. */
  readonly blobs: number;
  readonly blobSize: number;
  readonly digestAt: (index: number) => Digest;
  /** Epoch ms. */
  readonly now: number;
};

export function writeNames(ask: Ask): LargeNames {
  const { tags, blobs, digestAt } = ask;
  const names: LargeNames = {
    tags,
    nameOf: (index) => ({
      // In the order of the rows, which makes a tenth of the time of any other.
      repository: `library/image-${String(Math.floor(index / TAGS_EACH)).padStart(6, "0")}`,
      tag: `v${index % TAGS_EACH}`,
    }),
    blobsOf: (index) => [
      ...Array.from({ length: BLOBS_EACH }, (_, place) => digestAt((index * BLOBS_EACH + place) % blobs)),
      digestAt(blobs - 1 - (index % BASES)),
    ],
  };
  const database = new Sqlite(ask.path);
  database.pragma("synchronous = OFF");
  database.pragma("cache_size = -400000");
  withoutIndices(database, ["links", "edges", "tags", "manifest_uses"], () =>
    writeRows(database, names, ask),
  );
  database.pragma("wal_checkpoint(TRUNCATE)");
  database.close();
  return names;
}

/** Indices are made at the end: a fraction of the time that it takes row by row. */
export function withoutIndices(database: Sqlite.Database, tables: readonly string[], work: () => void): void {
  const marks = tables.map(() => "?").join(", ");
  const indices = database
    .prepare<string[], { sql: string; name: string }>(
      `SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN (${marks})`,
    )
    .all(...tables);
  for (const { name } of indices) database.exec(`DROP INDEX ${name}`);
  database.transaction(work)();
  for (const { sql } of indices) database.exec(sql);
}

function writeRows(database: Sqlite.Database, names: LargeNames, { blobSize, now }: Ask): void {
  const put = inserts(database);
  for (let index = 0; index < names.tags; index++) {
    const { repository, tag } = names.nameOf(index);
    const blobs = names.blobsOf(index);
    const bytes = manifestOf(blobs, blobSize);
    const digest = parseDigest(`sha256:${createHash("sha256").update(bytes).digest("hex")}`);
    put.manifest.run(digest, MANIFEST_TYPE, bytes);
    put.use.run(digest, now);
    put.tag.run(UPSTREAM, repository, tag, digest, MANIFEST_TYPE, bytes.length, now);
    put.tagUse.run(UPSTREAM, repository, tag, now);
    put.link.run(UPSTREAM, repository, digest, bytes.length, bytes.length, MANIFEST_TYPE);
    for (const [place, blob] of blobs.entries()) {
      const [role, type] = place === 0 ? ["config", CONFIG_TYPE] : ["layer", LAYER_TYPE];
      put.link.run(UPSTREAM, repository, blob, blobSize, blobSize, null);
      put.edge.run(digest, blob, role, place, blobSize, type);
    }
  }
}

function inserts(database: Sqlite.Database) {
  return {
    manifest: database.prepare("INSERT INTO manifests (digest, media_type, bytes) VALUES (?, ?, ?)"),
    use: database.prepare("INSERT INTO manifest_uses (digest, used_at) VALUES (?, ?)"),
    tag: database.prepare(
      `INSERT INTO tags (upstream, repository, tag, accept_class, digest, media_type, size, checked_at)
       VALUES (?, ?, ?, '', ?, ?, ?, ?)`,
    ),
    tagUse: database.prepare("INSERT INTO tag_uses (upstream, repository, tag, used_at) VALUES (?, ?, ?, ?)"),
    link: database.prepare(
      `INSERT OR IGNORE INTO links (upstream, repository, digest, size, confirmed, confirmed_size, media_type)
       VALUES (?, ?, ?, ?, 2, ?, ?)`,
    ),
    edge: database.prepare(
      `INSERT OR IGNORE INTO edges (parent, child, role, place, platform, size, media_type)
       VALUES (?, ?, ?, ?, NULL, ?, ?)`,
    ),
  };
}

function manifestOf(blobs: readonly Digest[], size: number): Buffer {
  const [config, ...layers] = blobs;
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: { mediaType: CONFIG_TYPE, size, digest: config },
      layers: layers.map((digest) => ({ mediaType: LAYER_TYPE, size, digest })),
    }),
  );
}
