/**
 * Owns a store that holds very many blobs, for what must not depend on how many there are. The database is a real one, with a row for each
 * blob, digests and last uses in random order. Files are real for the coldest only, which is all that an eviction touches; of all others a
 * double of the BlobStore says that they are there, because a million files would take longer to make than everything else takes to measure.
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import Sqlite from "better-sqlite3";
import { openDatabase } from "../../src/metadata/database.ts";
import { type Digest, parseDigest } from "../../src/oci/digest.ts";
import type { BlobStore } from "../../src/store/blob-store.ts";
import { openDiskBlobs } from "../../src/store/disk-blobs.ts";
import type { Layout } from "../../src/store/layout.ts";
import { openSpool } from "../../src/store/spool.ts";
import { findLayout } from "../../src/store/storage-directory.ts";
import { makeFolders } from "../../src/store/storage-folders.ts";
import { type LargeNames, withoutIndices, writeNames } from "./large-names.ts";

export type LargeStore = {
  readonly layout: Layout;
  readonly names: LargeNames;
  readonly blobs: number;
  /** Bytes of each blob, as its row says; the files that are there have as many. */
  readonly blobSize: number;
  /** A BlobStore over it. Everything it does is the disk's, but to say that blobs are there. */
  readonly openBlobs: () => BlobStore;
};

type Row = { readonly digest: Digest; readonly usedAt: number };

/** Epoch ms. */
const FIRST_USE = 1_000_000;
const BLOB_SIZE = 4_096;
const PARTIALS = 500;
const PARTIAL_SIZE = 1_000_000;

/** `blobs` rows, files for the `files` coldest of them, 500 partials, and `tags` names over the blobs. */
export async function makeLargeStore(
  directory: string,
  blobs: number,
  files: number,
  tags = 0,
): Promise<LargeStore> {
  const layout = await findLayout(directory);
  await makeFolders(layout);
  await openDatabase(layout.database).metadata.close();
  const rows = Array.from({ length: blobs }, (_, index) => ({
    digest: digestAt(index),
    usedAt: FIRST_USE + index,
  }));
  rows.sort((a, b) => (a.digest < b.digest ? -1 : 1));
  writeRows(layout.database, rows);
  const { database: path } = layout;
  const names = writeNames({ path, tags, blobs, blobSize: BLOB_SIZE, digestAt, now: Date.now() });
  writeFiles(layout, files);
  await writePartials(layout);
  return { layout, names, blobs, blobSize: BLOB_SIZE, openBlobs: () => doubled(layout, rows) };
}

function digestAt(index: number): Digest {
  return parseDigest(`sha256:${createHash("sha256").update(`blob ${index}`).digest("hex")}`);
}

/** In the order of their digests. */
function writeRows(path: string, rows: readonly Row[]): void {
  const database = new Sqlite(path);
  database.pragma("synchronous = OFF");
  database.pragma("cache_size = -200000");
  const insert = database.prepare(
    "INSERT INTO blobs (digest, size, used_at, verified_at) VALUES (?, ?, ?, ?)",
  );
  withoutIndices(database, ["blobs"], () => {
    for (const { digest, usedAt } of rows) insert.run(digest, BLOB_SIZE, usedAt, usedAt);
  });
  database.pragma("wal_checkpoint(TRUNCATE)");
  database.close();
}

function writeFiles(layout: Layout, files: number): void {
  const bytes = new Uint8Array(BLOB_SIZE);
  for (let index = 0; index < files; index++) {
    const digest = digestAt(index);
    mkdirSync(layout.blobDirectory(digest), { recursive: true });
    writeFileSync(layout.blob(digest), bytes);
  }
}

async function writePartials(layout: Layout): Promise<void> {
  const spool = openSpool(layout);
  for (let index = 0; index < PARTIALS; index++) {
    const key = { digest: digestAt(-1 - index), upstream: "docker.io" };
    const partial = await spool.openPartial(key, PARTIAL_SIZE);
    await partial.write(0, [new Uint8Array(BLOB_SIZE)]);
    partial.present.add({ start: 0, end: BLOB_SIZE });
    await partial.checkpoint();
    await partial.close();
  }
}

function doubled(layout: Layout, rows: readonly Row[]): BlobStore {
  const real = openDiskBlobs(layout);
  const known = new Set(rows.map(({ digest }) => digest));
  return {
    ...real,
    stat: async (digest) => (known.has(digest) ? { size: BLOB_SIZE } : undefined),
    async *list() {
      for (const [index, { digest, usedAt }] of rows.entries()) {
        // The disk's list gives way to others as well, with each few files that it looks at.
        if (index % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
        yield { digest, size: BLOB_SIZE, changedAt: usedAt };
      }
    },
  };
}
