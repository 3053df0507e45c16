/**
 * Owns the prefetch: once a manifest was served, its config and layers come in, and of an index the images for the platforms of the settings.
 * It asks as the client that was served, so nothing comes in that this client could not fetch itself; its bytes give way to everything that
 * somebody waits for. It fetches no manifest while few pulls are left, and what it cannot fetch is nobody's failure.
 */
import { LRUCache } from "lru-cache";
import { messageOf } from "../errors.ts";
import type { Asker, ManifestAnswer, ManifestAsker, Mirror } from "../mirror/mirror.ts";
import type { Clock } from "../observe/clock.ts";
import type { Log } from "../observe/log.ts";
import type { Platform } from "../oci/descriptor.ts";
import type { Manifest } from "../oci/manifest.ts";
import { viewManifest } from "../oci/manifest-view.ts";
import { isIndexType, MANIFEST_UNION } from "../oci/media-types.ts";
import type { ManifestTarget } from "../routing/target.ts";
import { expiringBy, mostEntries } from "../waiting/expiry.ts";
import { bringBlobs } from "./bring.ts";
import { blobsOf, childrenOf, chosen } from "./wanted.ts";
import { sparesPulls } from "./warm-preview.ts";

export type PrefetchParts = {
  readonly mirror: Pick<Mirror, "manifest" | "blob" | "status">;
  readonly clock: Clock;
  readonly log: Log;
};

type Asked = { readonly target: ManifestTarget; readonly manifest: Manifest; readonly asker: Asker };

/** Manifests whose parts are on their way, and those that wait for their turn: further ones are left out. */
const MOST_AT_ONCE = 2;
const MOST_WAITING = 64;
/** A manifest that is served again and again is looked at once in this time. */
const REMEMBERED = 10_000;
const REMEMBERED_MS = 10 * 60_000;

export class Prefetch {
  readonly #parts: PrefetchParts;
  readonly #recent: LRUCache<string, true>;
  readonly #waiting: Asked[] = [];
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #platforms: readonly Platform[] = [];

  constructor(parts: PrefetchParts) {
    this.#parts = parts;
    this.#recent = new LRUCache({
      ...mostEntries(REMEMBERED),
      ttl: REMEMBERED_MS,
      ...expiringBy(parts.clock),
    });
  }

  /** None switches it off. */
  set(platforms: readonly Platform[]): void {
    this.#platforms = platforms;
  }

  /** False: `served` need not be called. */
  get isOn(): boolean {
    return this.#platforms.length > 0;
  }

  /** A client was given `answer`. Returns at once and never throws. */
  served(target: ManifestTarget, asker: ManifestAsker, { manifest, outcome }: ManifestAnswer): void {
    if (this.#platforms.length === 0 || this.#closing.signal.aborted) return;
    // While the upstream cannot be asked there is nothing to fetch.
    if (outcome === "stale" || this.#waiting.length >= MOST_WAITING) return;
    const name = `${target.upstream}\n${target.repository}\n${manifest.digest}\n${asker.loggedIn}`;
    if (this.#recent.has(name)) return;
    this.#recent.set(name, true);
    this.#waiting.push({ target, manifest, asker: prefetching(asker) });
    this.#next();
  }

  /** Ends what is under way. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#waiting.length = 0;
    await Promise.allSettled(this.#running);
  }

  #next(): void {
    while (this.#running.size < MOST_AT_ONCE) {
      const asked = this.#waiting.shift();
      if (asked === undefined) return;
      const run = this.#fetch(asked).finally(() => {
        this.#running.delete(run);
        this.#next();
      });
      this.#running.add(run);
    }
  }

  async #fetch({ target, manifest, asker }: Asked): Promise<void> {
    try {
      // Who was served goes first: this tick is its answer's.
      await new Promise(setImmediate);
      for (const image of await this.#imagesOf(target, manifest, asker))
        await bringBlobs(target, blobsOf(image), {
          mirror: this.#parts.mirror,
          asker,
          signal: this.#closing.signal,
          onBytes: () => undefined,
        });
    } catch (error) {
      const { upstream, repository } = target;
      const facts = { upstream, repository, digest: manifest.digest, reason: messageOf(error) };
      this.#parts.log.debug(facts, "what a manifest lists could not be prefetched");
    }
  }

  async #imagesOf(target: ManifestTarget, manifest: Manifest, asker: Asker): Promise<Manifest[]> {
    const { mirror } = this.#parts;
    if (!isIndexType(viewManifest(manifest.bytes, manifest.mediaType).mediaType)) return [manifest];
    const choice = { platforms: this.#platforms, attestations: false };
    const images: Manifest[] = [];
    for (const { digest } of chosen(childrenOf(manifest), choice)) {
      if (await sparesPulls(this.#parts, target.upstream)) return images;
      const as = { ...asker, accept: MANIFEST_UNION };
      images.push((await mirror.manifest({ ...target, reference: { digest } }, as)).manifest);
    }
    return images.filter((image) => !isIndexType(image.mediaType));
  }
}

/** What the client showed for the registry ends with its request: what only that opens is not prefetched. */
function prefetching({ loggedIn, userAgent, client }: ManifestAsker): Asker {
  return { loggedIn, userAgent, client, purpose: "prefetch" };
}
