/**
 * Owns committed blobs as they should be: what cannot be trusted any more (cut off, a link in its place) is dropped here and
 * counts as absent, so that it is fetched again. It never decides who may have a blob.
 */
import { isGranaryError } from "../errors.ts";
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
    const { store, metadata, fills, log } = this.#parts;
    const row = await metadata.blob(digest);
    const found = await unlessDamaged(store.stat(digest));
    if (fills().find(digest) !== undefined || (row !== undefined && row.size === found?.size)) return;
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
      await this.drop(digest, error.message);
      return undefined;
    }
  }
}

async function unlessDamaged<T>(looking: Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    if (isGranaryError(error, "store-damaged")) return undefined;
    throw error;
  }
}
