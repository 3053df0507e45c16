/**
 * Owns the Partial and Spool ports: a blob that is not committed yet, as a sparse file plus the RangeSet of the bytes
 * that are there, and the directory of them. Drivers never decide what to fetch and never verify.
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import type { RangeSet } from "../bytes/range-set.ts";
import type { MoveBytes } from "../files/open-file.ts";
import type { Digest } from "../oci/digest.ts";

/** Bytes that are not verified yet are never shared between upstreams: each has its own Partial of a digest. */
export type PartialKey = {
  readonly digest: Digest;
  /** Name of the upstream whose origins its bytes come from. */
  readonly upstream: string;
};

export interface Partial extends PartialKey {
  /** Bytes of the whole blob; of one that grows, as many as are known so far. */
  readonly size: number;
  /** The bytes that are there. Live: only the owner of the Partial (its Fill) adds to it, after `write` returned (F3). */
  readonly present: RangeSet;
  /** True when `present` came from an earlier process or an earlier Fill (F10). */
  readonly resumed: boolean;

  /**
   * Writes `buffers` one after another at `offset`. When it returns, `read` gives the bytes back; it marks nothing.
   * Throws `store-full` when the disk has no room; then none of the bytes may be counted on.
   */
  write(offset: number, buffers: readonly Uint8Array[]): Promise<void>;

  /** The blob has at least `size` bytes: for one that was opened with 0 because nobody states its size. Such a Partial is never saved. */
  grow(size: number): void;

  /** Reads at most `into.length` bytes at `offset`; returns how many. The caller asks only for present bytes. */
  read(offset: number, into: Uint8Array): Promise<number>;

  /** Has `move` take bytes that are present out of the file, where there is a file. */
  move?(offset: number, most: number, move: MoveBytes): Promise<number>;

  /**
   * A digest computation over the contiguous prefix, off the main thread. One at a time; ask again for a new one
   * after `close` of the old.
   */
  follow(): DigestFollower;

  /**
   * Data sync, then the map by temp file and rename. The map never claims a byte that was not synced before (F8): it
   * takes its copy of `present` before the sync. Runs beside writes; two calls at once share one run.
   */
  checkpoint(): Promise<void>;

  /** When its file was last written to, by anybody, in nanoseconds of the file system's clock. Only good for comparing. */
  lastWrite(): Promise<bigint>;

  /** False once its file was adopted, or removed by somebody: whatever lies in its place now is not this Partial's. */
  holdsItsFile(): Promise<boolean>;

  /** Waits for reads, writes and a checkpoint in flight, then closes the file and keeps it with its last map. Idempotent. */
  close(): Promise<void>;

  /** Closes and deletes the file and its map. Idempotent. */
  discard(): Promise<void>;
}

/** The Verifier's worker side: hashes `[0, end)` of one Partial in order as `end` advances. */
export interface DigestFollower {
  /** The first `end` bytes can be read. Values only grow. */
  advance(end: number): void;
  /** The digest of all `size` bytes; resolves once `advance(size)` was called and hashed. Rejects `closed`. */
  digest(): Promise<Digest>;
  /** Stops and frees. Idempotent. */
  close(): void;
}

/** One saved Partial that no Fill has open. */
export type SavedPartial = {
  readonly digest: Digest;
  /** undefined for one of an older Granary, which did not write down whose it was: no fill resumes it. */
  readonly upstream: string | undefined;
  readonly size: number;
  /** Bytes that its map claims. */
  readonly present: number;
  /** Epoch ms of its last change. */
  readonly changedAt: number;
};

/** The local directory of Partials. */
export interface Spool {
  /**
   * Opens the saved Partial of `key`, or a new empty one. A saved one of another size, or with a map that cannot be
   * read, is discarded first: an unreadable map counts as empty. This is what keeps a partial from being open twice: it waits, in the
   * order of asking, until whoever has the same one open has closed it or had it adopted, and until a removal is over.
   */
  openPartial(key: PartialKey, size: number): Promise<Partial>;
  list(): Promise<SavedPartial[]>;
  /** What the map of a saved Partial claims, in order; empty for one that is absent or open. */
  rangesOf(key: PartialKey): Promise<readonly ByteRange[]>;
  /** Deletes a saved Partial; absent is fine. Rejects `closed` for one that is open or being opened. */
  remove(partial: Pick<SavedPartial, "digest" | "upstream">): Promise<void>;
}
