/** Owns the port to where a downloaded blob goes: a file as Ollama keeps it, or a check against a known pattern. */
import type { BlobPart } from "./blob-part.ts";

export interface BlobPlace {
  /** True when the whole blob is here from an earlier pull: then nothing is asked for. */
  isComplete(): Promise<boolean>;
  /** Parts of an interrupted pull, in order; none when there was none. */
  loadParts(): Promise<BlobPart[]>;
  savePart(part: BlobPart): Promise<void>;
  /** Room for `size` bytes; what is there stays. */
  prepare(size: number): Promise<void>;
  /** `bytes` are the caller's again once this settles. */
  write(offset: number, bytes: Buffer): Promise<void>;
  /** All parts are there: the blob gets its own name. */
  complete(): Promise<void>;
  /** Throws `digest mismatch` after deleting the blob, when its content is not what its digest says. */
  verify(): Promise<void>;
  /** Lets go of what is open; what is on disk stays for the next pull. Idempotent. */
  close(): Promise<void>;
}
