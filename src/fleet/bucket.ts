/**
 * Owns the Bucket port: the object store that a fleet shares. It keeps and gives bytes by keys, and knows nothing of leases, rows or what is in
 * an object. Whoever reads from it verifies.
 *
 * All methods throw `fleet-unavailable` when the store does not answer, refuses, or answers nonsense; no message holds a signed address or a key.
 */
import type { ByteRange } from "../bytes/byte-range.ts";

/** One part of an upload that is not complete yet. `number` counts from 1. */
export type UploadPart = {
  readonly number: number;
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
};

export type ListedObject = {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Epoch ms, by the store's clock. */
  readonly changedAt: number;
};

export type ListedUpload = { readonly key: string; readonly uploadId: string; readonly begunAt: number };

/** What came for a ranged GET. */
export type OpenedObject = {
  /** What `body` carries. */
  readonly range: ByteRange;
  /** Bytes of the whole object. */
  readonly size: number;
  /** To be read once. Throws `fleet-unavailable` when it breaks, stalls or ends short. Leaving it early closes the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Closes the connection of a body that nobody will read. Idempotent. */
  dismiss(): void;
};

export interface Bucket {
  /** undefined when absent. */
  head(key: string): Promise<{ readonly size: number } | undefined>;
  /**
   * undefined when absent. What comes is the part of `range` that the object has: nothing when that begins past its end. `signal` ends the request
   * and its body, which throw `aborted` then.
   */
  open(key: string, range: ByteRange, signal: AbortSignal): Promise<OpenedObject | undefined>;
  /** A whole object in one piece. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Begins an upload in parts; its id. */
  begin(key: string): Promise<string>;
  /** undefined when there is no such upload any more: it was completed or aborted by somebody else, which ends this one's work. */
  putPart(key: string, uploadId: string, number: number, bytes: Uint8Array): Promise<UploadPart | undefined>;
  /** What was uploaded so far, in order; undefined when there is no such upload any more. */
  parts(key: string, uploadId: string): Promise<readonly UploadPart[] | undefined>;
  /**
   * Makes an object of exactly these parts, in order. False when there is no such upload any more; true all the same where an object of their size
   * is there, because the answer to an earlier try may have been lost.
   */
  complete(key: string, uploadId: string, parts: readonly UploadPart[]): Promise<boolean>;
  /** Absent is fine. */
  abort(key: string, uploadId: string): Promise<void>;
  /** Absent ones are fine. */
  remove(keys: readonly string[]): Promise<void>;
  /** In the order of their keys. */
  list(prefix: string): AsyncIterable<ListedObject>;
  /** Uploads that are not complete. */
  uploads(prefix: string): AsyncIterable<ListedUpload>;
  /**
   * An address by which anybody may GET the object for `forMs` (at most what the credentials themselves last). A secret: it is never logged.
   */
  sign(key: string, forMs: number): Promise<{ readonly url: string; readonly expiresAt: number }>;
  /** Writes, reads and deletes a small object: for a start. The message says what to do. */
  check(): Promise<void>;
  close(): Promise<void>;
}
