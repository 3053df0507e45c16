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

  /** Of blobs and manifests; epoch ms. */
  add(uses: ReadonlyMap<Digest, number>): void {
    for (const [digest, usedAt] of uses)
      if (this.#pending.size < MOST || this.#pending.has(digest)) this.#pending.set(digest, usedAt);
  }

  async flush(): Promise<void> {
    const uses = this.#pending;
    if (uses.size === 0) return;
    this.#pending = new Map();
    try {
      await this.#write(uses);
    } catch (error) {
      this.add(uses);
      throw error;
    }
  }
}
