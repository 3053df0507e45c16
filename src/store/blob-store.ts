/**
 * Owns the BlobStore port. Its contract: a digest is either absent, or wholly present and verified; no third state
 * is visible here. Drivers never evict on their own and never read Metadata.
 */
import type { Digest } from "../oci/digest.ts";
import type { Partial } from "./partial.ts";

export interface StoredBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Reads at most `into.length` bytes at `offset`; returns how many, 0 at the end. Many reads may run at once. */
  read(offset: number, into: Uint8Array): Promise<number>;
  /** Idempotent. Bytes stay readable until then even if the blob is removed. */
  close(): Promise<void>;
}

export interface BlobStore {
  /** undefined when absent. */
  stat(digest: Digest): Promise<{ readonly size: number } | undefined>;

  /** undefined when absent. The caller closes. Symbolic links are not followed: they count as damage (`store-damaged`). */
  open(digest: Digest): Promise<StoredBlob | undefined>;

  /**
   * Makes the complete, verified `partial` the Blob `digest`: sync, rename, sync the directory, read-only, and its map is
   * gone. The partial stays readable until its `close`, which then only closes the file: readers that follow it go on.
   * Idempotent: where the blob is there already, the partial's file is unlinked and stays readable likewise.
   */
  adopt(partial: Partial, digest: Digest): Promise<void>;

  /** Absent is fine. */
  remove(digest: Digest): Promise<void>;

  /** Every blob on disk, in no order. Files that are no blob are passed over. */
  list(): AsyncIterable<{ readonly digest: Digest; readonly size: number; readonly changedAt: number }>;

  /** The disk beneath: free bytes for us, and its size. */
  disk(): Promise<{ readonly free: number; readonly size: number }>;
}
