/**
 * Owns the Source port: what the client verbs read from ("give me this manifest, this blob"), and the two shapes
 * that everything which serves bytes shares. Registries are a Source, a Mirror is another, an archive file a third.
 */
import type { ByteRange } from "./bytes/byte-range.ts";
import type { MoveBytes } from "./files/open-file.ts";
import type { Digest } from "./oci/digest.ts";
import type { Manifest } from "./oci/manifest.ts";
import type { Reference, Repository } from "./oci/reference.ts";
import type { Origin } from "./origin.ts";

/** What one HEAD tells of a manifest. */
export type ManifestHead = { readonly digest: Digest; readonly mediaType: string; readonly size: number };

/**
 * Where the client verbs get content. Every method throws `not-found` (with the target), `unauthorized`, `denied`,
 * `rate-limited`, `upstream-unavailable`, `upstream-protocol`, `digest-mismatch`, `closed`. Small questions are retried inside,
 * blobs are not: their bytes come through an Origin, and whoever reads it decides.
 */
export interface Source {
  /**
   * True when blobs lie at hand (an archive, a Mirror's store): nothing is gained by keeping a copy while one is read.
   */
  readonly isLocal: boolean;
  /** The exact bytes that `reference` names (its digest where it has one), checked. */
  manifest(reference: Reference): Promise<Manifest>;
  /** The same without the bytes, where the Source can tell without fetching them. */
  headManifest(reference: Reference): Promise<ManifestHead>;
  /** The size of a blob that no descriptor tells, bytes. */
  blobSize(repository: Repository, digest: Digest): Promise<number>;
  /** The bytes of one blob. Synchronous: nothing is asked before the first `open`. */
  origin(repository: Repository, digest: Digest): Origin;
  /** Ends what is under way (`closed`). Idempotent. */
  close(): Promise<void>;
}

/** One request's sequential view of one range of a blob. */
export interface BlobReader {
  /**
   * Fills the front of `into` with the next bytes and returns how many (at least 1), or 0 after the last byte of the
   * range. It gives exactly the range, or throws (F2): `digest-mismatch`, `size-mismatch`,
   * `upstream-unavailable`, `closed`. One call at a time.
   */
  read(into: Uint8Array): Promise<number>;
  /**
   * Like `read`, but `move` takes the bytes out of the file that they lie in, so that they need not be copied: returns how many it took, 0
   * when it took none. undefined where the next bytes have to be read: they are in no file, are not there yet, or wait for their digest. Only
   * after a first `read`, never at the same time as one, and never for the last bytes of a whole.
   */
  move?(move: MoveBytes): Promise<number | undefined>;
  /** Gives up the reader; a parked `read` throws `closed`. Idempotent, synchronous. */
  close(): void;
}

/** A blob that can be read, whether it is on disk, being filled, or only passing through. */
export interface ReadableBlob {
  readonly digest: Digest;
  /** Bytes; undefined where nobody states them: then only a reader of the whole blob learns it, at the end. */
  readonly size: number | undefined;
  /**
   * A reader of `range`, or of the whole blob when none is given. Only a whole reader is held back at the end until
   * the digest is known (F18). Synchronous: nothing is read before the first `read`. `ahead`: what the same client reads after `range`,
   * in this order; where bytes have to be fetched, those are fetched meanwhile, and none between them.
   */
  reader(range?: ByteRange, ahead?: readonly ByteRange[]): BlobReader;
  /** Releases the Pin. Idempotent; readers must be closed first. */
  release(): void;
}
