/**
 * Owns the manifests that are stored: in memory with what they list, and behind that in Metadata. It asks no upstream, and never gives out
 * bytes that are not the digest's.
 */
import { LRUCache } from "lru-cache";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import { isSoundManifest, type Manifest } from "../../oci/manifest.ts";
import type { Damage } from "../space/damage.ts";
import type { Uses } from "../space/uses.ts";
import { type OwnFacts, ownFacts } from "./own-facts.ts";

type StoredParts = {
  readonly metadata: Metadata;
  readonly uses: Uses;
  readonly clock: Clock;
  readonly damage: Damage;
};

/** A manifest in memory, with what it states. */
export type CachedManifest = OwnFacts & { readonly manifest: Manifest; servedAt: number };

/** Memory for hot manifests. */
const CACHE_BYTES = 32 * 1024 * 1024;
/** What a digest takes in memory, roughly. */
const DIGEST_BYTES = 120;
/** How often serving a manifest renews the last use of what it lists. */
const RENEW_MS = 1_000;

export class StoredManifests {
  readonly #parts: StoredParts;
  readonly #cache = new LRUCache<Digest, CachedManifest>({
    maxSize: CACHE_BYTES,
    sizeCalculation: ({ manifest, listed }) => manifest.bytes.length + listed.length * DIGEST_BYTES + 1,
  });

  constructor(parts: StoredParts) {
    this.#parts = parts;
  }

  /** What is stored, whoever may see it. What the database gives back wrong counts as absent from then on. */
  async find(digest: Digest): Promise<CachedManifest | undefined> {
    const found = this.#cache.get(digest);
    if (found !== undefined) return found;
    const manifest = await this.#parts.metadata.manifest(digest);
    if (manifest === undefined) return undefined;
    return isSoundManifest(manifest) ? this.add(manifest) : await this.#forgetDamaged(digest);
  }

  /** The same, as far as it is in memory. */
  remembered(digest: Digest): CachedManifest | undefined {
    return this.#cache.get(digest);
  }

  /** Counts as absent, and is fetched again. */
  async #forgetDamaged(digest: Digest): Promise<undefined> {
    this.#parts.damage.manifest(digest);
    await this.#parts.metadata.forgetManifest(digest);
    return undefined;
  }

  /** It was recorded just now. */
  add(manifest: Manifest): CachedManifest {
    const cached = { manifest, ...ownFacts(manifest), servedAt: 0 };
    this.#cache.set(manifest.digest, cached);
    return cached;
  }

  /** Its row was deleted. */
  forgetHere(digest: Digest): void {
    this.#cache.delete(digest);
  }

  /** `digest` was just served. Its client asks for the blobs next, so they are marked as used now and are not evicted first. */
  served(digest: Digest): void {
    const found = this.#cache.get(digest);
    const now = this.#parts.clock.elapsed();
    if (found === undefined || now - found.servedAt < RENEW_MS) return;
    found.servedAt = now;
    for (const used of [digest, ...found.listed]) this.#parts.uses.touch(used);
  }
}
