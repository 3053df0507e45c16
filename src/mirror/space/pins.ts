/**
 * Owns Pins: a digest that somebody reads or fills is not evicted meanwhile (F12). It also knows which digests are being filled, and which
 * are being evicted. Everything is synchronous, so that a pin taken before a look-up cannot come too late.
 */
import type { Metrics } from "../../observe/metrics.ts";
import type { Digest } from "../../oci/digest.ts";

export class Pins {
  /** How many readers each has. */
  readonly #pinned = new Map<Digest, number>();
  /** How many upstreams' fills of each run. */
  readonly #filled = new Map<Digest, number>();
  readonly #soft = new Map<Digest, () => void>();
  /** What is done when nobody has them any more. */
  readonly #whenFree = new Map<Digest, () => void>();
  /** Those that are being evicted. */
  readonly #leaving = new Set<Digest>();
  readonly #metrics: Metrics;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** Digests that somebody reads. */
  get count(): number {
    return this.#pinned.size;
  }

  /** Pins `digest` for a reader; the returned release is idempotent. */
  pin(digest: Digest): () => void {
    const release = countIn(this.#pinned, digest);
    this.#metrics.pins.set(this.#pinned.size);
    return () => {
      release();
      this.#metrics.pins.set(this.#pinned.size);
      this.#tellFree(digest);
    };
  }

  /** Pins `digest` for a fill of it; the returned release is idempotent. */
  pinFill(digest: Digest): () => void {
    const release = countIn(this.#filled, digest);
    return () => {
      release();
      this.#tellFree(digest);
    };
  }

  has(digest: Digest): boolean {
    return this.#pinned.has(digest) || this.#filled.has(digest);
  }

  /** Whether any upstream's fill of `digest` runs: its file is about to be created or replaced, so nobody else should act on it. */
  isFilled(digest: Digest): boolean {
    return this.#filled.has(digest);
  }

  /**
   * A pin that does not stop an eviction: `letGo` is called before it, and must free the digest in the same tick. At most one for each
   * digest; the returned release is idempotent.
   */
  pinUnlessNeeded(digest: Digest, letGo: () => void): () => void {
    this.#soft.set(digest, letGo);
    return () => {
      if (this.#soft.get(digest) === letGo) this.#soft.delete(digest);
    };
  }

  /** Calls `work` once nobody reads or fills `digest` any more, at once where nobody does. A later one replaces an earlier one. */
  whenFree(digest: Digest, work: () => void): void {
    this.#whenFree.set(digest, work);
    this.#tellFree(digest);
  }

  #tellFree(digest: Digest): void {
    const work = this.#whenFree.size === 0 || this.has(digest) ? undefined : this.#whenFree.get(digest);
    if (work === undefined) return;
    this.#whenFree.delete(digest);
    work();
  }

  /** `digest` is about to be evicted: calls the `letGo` of `pinUnlessNeeded`, if there is one. */
  giveWay(digest: Digest): void {
    const letGo = this.#soft.get(digest);
    this.#soft.delete(digest);
    letGo?.();
  }

  /** `digests` are being evicted, until the returned function is called: their rows go before their files. One eviction at a time. */
  leave(digests: readonly Digest[]): () => void {
    for (const digest of digests) this.#leaving.add(digest);
    return () => {
      for (const digest of digests) this.#leaving.delete(digest);
    };
  }

  /** Then its row is gone and its file will be: it must not be registered again. */
  isLeaving(digest: Digest): boolean {
    return this.#leaving.has(digest);
  }
}

/** Adds one to the count of `digest`; the returned release takes it back, once. */
function countIn(counts: Map<Digest, number>, digest: Digest): () => void {
  counts.set(digest, (counts.get(digest) ?? 0) + 1);
  let isCounted = true;
  return () => {
    if (!isCounted) return;
    isCounted = false;
    const left = (counts.get(digest) ?? 1) - 1;
    if (left > 0) counts.set(digest, left);
    else counts.delete(digest);
  };
}
