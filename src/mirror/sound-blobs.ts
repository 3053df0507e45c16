/**
 * Owns committed blobs as they should be: what cannot be trusted any more (cut off, a link in its place) is dropped here and
 * counts as absent, so that it is fetched again. It never decides who may have a blob.
 */
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import type { Fills } from "../fill/fills.ts";
import type { Metadata } from "../metadata/metadata.ts";
import type { Log } from "../observe/log.ts";
import type { Digest } from "../oci/digest.ts";
import type { BlobStore, StoredBlob } from "../store/blob-store.ts";

export type SoundBlobsParts = {
  readonly store: BlobStore;
  readonly metadata: Metadata;
  readonly fills: () => Fills;
  readonly log: Log;
};

export class SoundBlobs {
  readonly #parts: SoundBlobsParts;

  constructor(parts: SoundBlobsParts) {
    this.#parts = parts;
  }

  /** undefined when absent, or damaged until now. The caller closes. `likelySize` spares the look into Metadata. */
  async open(digest: Digest, likelySize: number | undefined): Promise<StoredBlob | undefined> {
    const stored = await this.#orDrop(digest, this.#parts.store.open(digest));
    if (stored === undefined) await this.#forgetAbsent(digest);
    if (stored === undefined || (await this.#isWhole(digest, stored.size, likelySize))) return stored;
    await stored.close();
    await this.drop(digest, `it has ${stored.size} bytes`);
    return undefined;
  }

  async stat(digest: Digest, likelySize: number | undefined): Promise<{ readonly size: number } | undefined> {
    const found = await this.#orDrop(digest, this.#parts.store.stat(digest));
    if (found === undefined || (await this.#isWhole(digest, found.size, likelySize))) return found;
    await this.drop(digest, `it has ${found.size} bytes`);
    return undefined;
  }

  /** Removes the blob, unless its file has been replaced by a sound one, or is about to be. */
  async drop(digest: Digest, reason: string): Promise<void> {
    const { store, metadata, fills } = this.#parts;
    const row = await metadata.blob(digest);
    const found = await unlessDamaged(store.stat(digest));
    if (fills().find(digest) !== undefined || (row !== undefined && row.size === found?.size)) return;
    await this.#remove(digest, reason);
  }

  /**
   * What `error` says of the blob's file is acted on; true when the store may be asked again: the blob is gone and can be fetched, or
   * somebody has mended it meanwhile. Never throws.
   */
  async dropDamaged(digest: Digest, error: unknown): Promise<boolean> {
    const { store, fills, log } = this.#parts;
    const isHopeless = isUnreadable(error);
    try {
      if (!isHopeless) await this.drop(digest, messageOf(error));
      else if (fills().find(digest) === undefined) await this.#remove(digest, messageOf(error));
      return !isHopeless || (await unlessDamaged(store.stat(digest))) === undefined;
    } catch (failed) {
      log.warn({ digest, reason: messageOf(failed) }, "a damaged blob cannot be removed");
      return false;
    }
  }

  /** A row without a file (somebody removed it) counts for nothing, and against the budget. */
  async #forgetAbsent(digest: Digest): Promise<void> {
    const { metadata, fills, store } = this.#parts;
    if (fills().find(digest) !== undefined || (await metadata.blob(digest)) === undefined) return;
    if (fills().find(digest) !== undefined || (await unlessDamaged(store.stat(digest))) !== undefined) return;
    await metadata.forgetBlob(digest);
  }

  async #remove(digest: Digest, reason: string): Promise<void> {
    const { store, metadata, log } = this.#parts;
    log.error({ digest, reason }, "a stored blob is damaged: removed, it will be fetched again");
    await metadata.forgetBlob(digest);
    await store.remove(digest);
  }

  async #isWhole(digest: Digest, size: number, likelySize: number | undefined): Promise<boolean> {
    if (size === likelySize) return true;
    // A descriptor may be wrong about the size; the row was written when the digest was known to be right.
    const row = await this.#parts.metadata.blob(digest);
    return row === undefined || row.size === size;
  }

  async #orDrop<T>(digest: Digest, looking: Promise<T | undefined>): Promise<T | undefined> {
    try {
      return await looking;
    } catch (error) {
      if (!isGranaryError(error, "store-damaged")) throw error;
      await this.dropDamaged(digest, error);
      return undefined;
    }
  }
}

/**
 * Bytes that the disk cannot give back, and files that are another user's. Not: too many open files, no memory and the like, which
 * say nothing about this one.
 */
function isUnreadable(error: unknown): boolean {
  const cause = error instanceof GranaryError ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return ["EIO", "EBADMSG", "EUCLEAN", "EACCES", "EPERM"].includes(code);
}

async function unlessDamaged<T>(looking: Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    if (isGranaryError(error, "store-damaged")) return undefined;
    throw error;
  }
}
