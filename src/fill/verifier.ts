/**
 * Owns the Verifier: the digest computation that follows a Partial's contiguous prefix, off the main thread. It only
 * says what the digest is; what a mismatch means is the Fill's to decide (F10).
 */
import type { Digest } from "../oci/digest.ts";
import type { DigestFollower, Partial } from "../store/partial.ts";

export class Verifier {
  readonly #partial: Partial;
  readonly #follower: DigestFollower;
  #prefix = 0;

  /** Starts with what the partial holds already. */
  constructor(partial: Partial) {
    this.#partial = partial;
    this.#follower = partial.follow();
    this.advance();
  }

  /** Bytes were marked present: follow the prefix as far as it reaches. */
  advance(): void {
    const prefix = this.#partial.present.endOfRunAt(0);
    if (prefix === this.#prefix && prefix !== 0) return;
    this.#prefix = prefix;
    this.#follower.advance(prefix);
  }

  /** The digest of the whole; resolves only when every byte is present. Rejects `closed`. */
  digest(): Promise<Digest> {
    return this.#follower.digest();
  }

  close(): void {
    this.#follower.close();
  }
}
