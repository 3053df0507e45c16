/**
 * Owns the port to something that names are brought in from: an archive, a folder, another program's store, a registry. It says what is there
 * and gives the bytes; it believes nothing: whoever takes them in checks every digest.
 */
import type { ListedName } from "../../bundle/bundle-index.ts";
import type { Digest } from "../../oci/digest.ts";

export type OfferedBlob = {
  /** Bytes. */
  readonly size: number;
  /** All of them, once; it closes what was opened when it ends or is left. */
  chunks(signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** For one that is not read after all. Idempotent. */
  close(): Promise<void>;
};

export interface ImportSource {
  /** Where it is, for messages. */
  readonly path: string;
  readonly names: readonly ListedName[];
  /** The bytes of a manifest; undefined where the source does not have it. */
  manifest(digest: Digest): Promise<Uint8Array | undefined>;
  /** undefined where the source does not have it. The caller reads or closes it. */
  blob(digest: Digest): Promise<OfferedBlob | undefined>;
  /** Idempotent. */
  close(): Promise<void>;
}
