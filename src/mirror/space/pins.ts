/**
 * Owns Pins: the promise, held while somebody reads or fills a digest, that it will not be evicted (F12). Everything is
 * synchronous, so that a pin taken before a look-up cannot come too late.
 */
import type { Metrics } from "../../observe/metrics.ts";
import type { Digest } from "../../oci/digest.ts";

export class Pins {
  readonly #held = new Map<Digest, number>();
  readonly #soft = new Map<Digest, () => void>();
  readonly #metrics: Metrics;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  get count(): number {
    return this.#held.size;
  }

  /** Pins `digest`; the returned release is idempotent. */
  pin(digest: Digest): () => void {
    this.#held.set(digest, (this.#held.get(digest) ?? 0) + 1);
    this.#metrics.pins.set(this.#held.size);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#release(digest);
    };
  }

  has(digest: Digest): boolean {
    return this.#held.has(digest);
  }

  /**
   * A pin that gives way: `letGo` is called when room is needed, and the digest is free in the same tick. At most one for each digest; the
   * returned release is idempotent.
   */
  pinUnlessNeeded(digest: Digest, letGo: () => void): () => void {
    this.#soft.set(digest, letGo);
    return () => {
      if (this.#soft.get(digest) === letGo) this.#soft.delete(digest);
    };
  }

  /** Room is needed: whoever holds `digest` only as long as nobody needs that lets go of it now. */
  giveWay(digest: Digest): void {
    const letGo = this.#soft.get(digest);
    this.#soft.delete(digest);
    letGo?.();
  }

  #release(digest: Digest): void {
    const left = (this.#held.get(digest) ?? 1) - 1;
    if (left > 0) this.#held.set(digest, left);
    else this.#held.delete(digest);
    this.#metrics.pins.set(this.#held.size);
  }
}
