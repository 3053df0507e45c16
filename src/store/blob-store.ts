/**
 * Owns the BlobStore port. Its contract: a blob is either absent, or it was complete and verified when it was stored. Disks rot and people
 * write to files, so an opened blob also says whether this process knows its bytes to be right, and can find out. Drivers never evict on
 * their own and never read Metadata.
 */
import type { MoveBytes } from "../files/open-file.ts";
import type { Digest } from "../oci/digest.ts";
import type { Partial } from "./partial.ts";

/** One hashing of a stored file, shared by all who asked for it meanwhile. */
export interface Verification {
  /** Whether the bytes are the digest's. Rejects `store-damaged` when they cannot be read, `closed` when it was stopped. */
  readonly verdict: Promise<boolean>;
  /** Bytes that were hashed so far, told now and then. */
  readonly done: number;
  /** Somebody waits for the verdict: no more pauses. */
  hurry(): void;
  /** Ends it for everybody who asked. Idempotent. */
  stop(): void;
}

export interface StoredBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Names this very file: another one may lie in its place by now. */
  readonly identity: string;
  /** What `isVerified` would have said when it was opened. */
  readonly wasVerified: boolean;
  /** Reads at most `into.length` bytes at `offset`; returns how many, 0 at the end. Many reads may run at once. */
  read(offset: number, into: Uint8Array): Promise<number>;
  /** Has `move` take bytes out of the file, where there is a file. */
  move?(offset: number, most: number, move: MoveBytes): Promise<number>;
  /**
   * True when this process has hashed the bytes and found them right, and nobody has written to the file since: this looks at the
   * open file and reads nothing. When it is asked after the last read, the answer holds for everything that was read.
   */
  isVerified(): Promise<boolean>;
  /** Hashes the file, off the main thread; at `pace` bytes a second (without one as fast as it can) while nobody hurries it. */
  verify(pace?: () => number): Promise<Verification>;
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

  /**
   * Moves what lies in the blob's place, whatever it is, to where damaged files are kept; nothing is deleted. Absent is fine. Throws
   * `store-damaged` when it cannot be moved.
   */
  setAside(digest: Digest): Promise<void>;

  /** What was set aside and is still there. */
  damaged(): Promise<readonly DamagedFile[]>;

  /** Deletes one of those, unless it is no plain file: Granary has not made that. Absent is fine. */
  removeDamaged(name: string): Promise<void>;

  /** Every blob on disk, in the order of their digests. What is no blob is left out, and its path is told to `onStranger`. */
  list(onStranger?: (path: string) => void): AsyncIterable<ListedBlob>;

  /** The disk that the store lies on: bytes that we may still write, and its size. */
  disk(): Promise<{ readonly free: number; readonly size: number }>;
}

export type ListedBlob = {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Epoch ms. */
  readonly changedAt: number;
};

export type DamagedFile = {
  readonly name: string;
  /** Bytes; 0 for what is no plain file. */
  readonly size: number;
  /** Epoch ms. */
  readonly changedAt: number;
  readonly isFile: boolean;
};
