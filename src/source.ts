/**
 * Owns the Source port: what the client verbs read from ("give me this manifest, this blob"), and the two shapes
 * that everything which serves bytes shares. A Mirror is a Source; a bare upstream client is another.
 */
import type { ByteRange } from "./bytes/byte-range.ts";
import type { Digest } from "./oci/digest.ts";

/** Exact bytes of a manifest or index, with digest and media type. Views of it never replace the bytes. */
export type Manifest = {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
};

/** One request's sequential view of one range of a blob. */
export interface BlobReader {
  /**
   * Fills the front of `into` with the next bytes and returns how many (at least 1), or 0 after the last byte of the
   * range. Never short of the range, never past it, or it throws (F2): `digest-mismatch`, `size-mismatch`,
   * `upstream-unavailable`, `closed`. One call at a time.
   */
  read(into: Uint8Array): Promise<number>;
  /** Gives up the reader; a parked `read` throws `closed`. Idempotent, synchronous. */
  close(): void;
}

/** A blob that can be read, whether it is on disk, being filled, or only passing through. */
export interface ReadableBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /**
   * A reader of `range`, or of the whole blob when none is given. Only a whole reader is held back at the end until
   * the digest is known (F18). Synchronous: nothing is read before the first `read`.
   */
  reader(range?: ByteRange): BlobReader;
  /** Releases the Pin. Idempotent; readers must be closed first. */
  release(): void;
}
