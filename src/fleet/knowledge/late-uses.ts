/**
 * Owns that what is used at one node counts as used in the fleet: uses are collected, and written once a minute. Without that the bucket would let go
 * of what every node serves from its own disk. A use that is lost costs an eviction too soon, and nothing else.
 */
import type { Digest } from "../../oci/digest.ts";

export type UsesSink = (uses: ReadonlyMap<Digest, number>) => Promise<void>;

/** Of what is used in one minute. */
const MOST = 50_000;

export class LateUses {
  readonly #write: UsesSink;
  #pending = new Map<Digest, number>();

  /** `write` throws `fleet-unavailable`; the uses are kept then. */
  constructor(write: UsesSink) {
    this.#write = write;
  }

  /** Of blobs and manifests; epoch ms. Of two uses of one digest the later counts, in whatever order they come. */
  add(uses: ReadonlyMap<Digest, number>): void {
    for (const [digest, usedAt] of uses) {
      const known = this.#pending.get(digest);
      if (known === undefined ? this.#pending.size < MOST : known < usedAt) this.#pending.set(digest, usedAt);
    }
  }

  /** Throws what the write throws. */
  async flush(): Promise<void> {
    const uses = this.#pending;
    if (uses.size === 0) return;
    this.#pending = new Map();
    try {
      await this.#write(uses);
    } catch (error) {
      // More may have been used meanwhile.
      this.add(uses);
      throw error;
    }
  }
}
