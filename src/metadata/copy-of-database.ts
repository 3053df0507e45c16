/**
 * Owns the look into the database of another Granary: its files are copied and the copy is opened, because an older database is brought up to
 * date when it is opened, and another's is not ours to change. One that a running Granary has open is refused.
 */
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onDisk, unlessAbsent } from "../files/disk-error.ts";
import { subjectOf } from "../oci/attachment.ts";
import { type Digest, parseDigest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import { explained, inUseError } from "./database-error.ts";
import { inspectFile } from "./inspect-database.ts";
import type { RepositoryKey } from "./metadata.ts";
import { isOpenHere, SqliteFile } from "./sqlite-file.ts";

type CopiedName = RepositoryKey & {
  /** undefined for what is attached to something else, and has no tag. */
  readonly tag: string | undefined;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
};

export type CopiedDatabase = {
  /** As clients get them that take every kind of manifest; in the order of their names, at most `limit`. */
  tags(limit: number): readonly CopiedName[];
  /** Manifests that say that they are attached to another one: signatures and their like. In the order of their digests, at most `limit`. */
  attached(limit: number): readonly CopiedName[];
  manifest(digest: Digest): Manifest | undefined;
  /** Removes the copy. Idempotent. */
  close(): Promise<void>;
};

/** Of the database at `path`. Throws `config-invalid` while a process has it open, `store-damaged`, `store-full`. */
export async function openCopy(path: string): Promise<CopiedDatabase> {
  if (isOpenHere(path)) throw inUseError(path);
  explained(path, () => inspectFile(path, 0));
  const directory = await onDisk("making a temporary folder", mkdtemp(join(tmpdir(), "granary-import-")));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const copy = join(directory, "granary.db");
    for (const end of ["", "-wal"])
      await unlessAbsent(`copying ${path}${end}`, copyFile(`${path}${end}`, `${copy}${end}`));
    return opened(new SqliteFile(copy), remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

type TagRow = Omit<CopiedName, "digest"> & { readonly digest: string };
type AttachedRow = RepositoryKey & ManifestRow;
type ManifestRow = { readonly digest: string; readonly mediaType: string; readonly bytes: Uint8Array };

function opened(file: SqliteFile, remove: () => Promise<void>): CopiedDatabase {
  const tags = file.prepare<TagRow>(
    `SELECT upstream, repository, tag, digest, media_type AS mediaType, size FROM tags
     WHERE accept_class = '' ORDER BY upstream, repository, tag LIMIT ?`,
  );
  const manifest = file.prepare<ManifestRow>(
    "SELECT digest, media_type AS mediaType, bytes FROM manifests WHERE digest = ?",
  );
  // The text alone may stand anywhere in a document: what it means is read there.
  const attached = file.prepare<AttachedRow>(
    `SELECT l.upstream, l.repository, m.digest, m.media_type AS mediaType, m.bytes
     FROM manifests AS m JOIN links AS l ON l.digest = m.digest
     WHERE l.confirmed > 0 AND instr(m.bytes, CAST('"subject"' AS BLOB)) > 0 ORDER BY m.digest LIMIT ?`,
  );
  let closing: Promise<void> | undefined;
  return {
    attached: (limit) =>
      attached
        .all(limit)
        .filter(({ bytes }) => subjectOf(bytes) !== undefined)
        .map(({ upstream, repository, digest, mediaType, bytes }) => ({
          ...{ upstream, repository, tag: undefined, digest: parseDigest(digest), mediaType },
          size: bytes.length,
        })),
    tags: (limit) => tags.all(limit).map((row) => ({ ...row, digest: parseDigest(row.digest) })),
    manifest: (digest) => {
      const row = manifest.get(digest);
      return row && { ...row, digest: parseDigest(row.digest) };
    },
    close: () => {
      if (closing === undefined) file.close();
      closing ??= remove();
      return closing;
    },
  };
}
