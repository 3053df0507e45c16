/**
 * Owns the exact bytes of manifests by digest: in memory, behind that in Metadata, behind that at the upstream. It never
 * stores a document whose digest or shape is wrong, and never gives one out through a repository that does not contain it.
 */
import { LRUCache } from "lru-cache";
import { GranaryError, isGranaryError } from "../errors.ts";
import type { Metadata, RepositoryKey } from "../metadata/metadata.ts";
import type { Clock } from "../observe/clock.ts";
import { algorithmOf, type Digest } from "../oci/digest.ts";
import { checkManifest, type Manifest } from "../oci/manifest.ts";
import { manifestTypeOf, viewManifest } from "../oci/manifest-view.ts";
import { MANIFEST_UNION } from "../oci/media-types.ts";
import { unlessHidden } from "../upstream/unless-hidden.ts";
import type { ManifestBody, ManifestHead, UpstreamClient } from "../upstream/upstream-client.ts";
import type { Access } from "./access.ts";
import { NegativeAnswers } from "./negative-answers.ts";
import { notFound } from "./not-found.ts";
import { SingleFlight } from "./single-flight.ts";
import type { Uses } from "./uses.ts";

/** What one HEAD tells of a manifest. */
export type Head = { readonly digest: Digest; readonly mediaType: string; readonly size: number };

export type ManifestParts = {
  readonly metadata: Metadata;
  readonly access: Access;
  readonly uses: Uses;
  readonly clock: Clock;
};

/** A manifest in memory, with what it lists. */
type Held = { readonly manifest: Manifest; readonly listed: readonly Digest[]; servedAt: number };

/** Memory for hot manifests. */
const HELD_BYTES = 32 * 1024 * 1024;
/** How often serving a manifest renews the last use of what it lists. */
const RENEW_MS = 1_000;

export class ManifestBytes {
  readonly #parts: ManifestParts;
  readonly #held = new LRUCache<Digest, Held>({
    maxSize: HELD_BYTES,
    sizeCalculation: ({ manifest }) => manifest.bytes.length + 1,
  });
  readonly #absent: NegativeAnswers;
  readonly #fetches: SingleFlight<Manifest>;
  readonly #heads: SingleFlight<Head>;

  constructor(parts: ManifestParts) {
    this.#parts = parts;
    this.#absent = new NegativeAnswers(parts.clock);
    this.#fetches = new SingleFlight(parts.clock);
    this.#heads = new SingleFlight(parts.clock);
  }

  /** What we hold, whoever may see it. */
  async stored(digest: Digest): Promise<Manifest | undefined> {
    const held = this.#held.get(digest);
    if (held !== undefined) return held.manifest;
    const manifest = await this.#parts.metadata.manifest(digest);
    if (manifest !== undefined) this.#hold(manifest, listedBy(manifest));
    return manifest;
  }

  /** What we hold, if this repository is known to contain it or says so now (H54). */
  async storedIn(
    client: UpstreamClient,
    where: RepositoryKey,
    digest: Digest,
    userAgent: string | undefined,
  ): Promise<Manifest | undefined> {
    const stored = await this.stored(digest);
    if (stored === undefined || (await this.#parts.access.link(where, digest)) !== undefined) return stored;
    await this.head(client, where, digest, userAgent);
    return stored;
  }

  /** From the upstream, checked, stored; one fetch for everybody who asks meanwhile. */
  fetch(
    client: UpstreamClient,
    where: RepositoryKey,
    digest: Digest,
    userAgent: string | undefined,
  ): Promise<Manifest> {
    const key = keyOf(where, digest);
    return this.#fetches.run(`${key}\n${sentAgent(client, userAgent)}`, async () => {
      this.#absent.check(`GET ${key}`);
      const ask = { repository: where.repository, reference: digest, accept: MANIFEST_UNION, userAgent };
      const body = await unlessHidden(client.getManifest(ask));
      if (body === undefined) throw this.#isAbsent(client, where, digest, "GET");
      return await this.keep(where, body, digest, digest);
    });
  }

  /** From the upstream, without bytes where that can be. */
  head(
    client: UpstreamClient,
    where: RepositoryKey,
    digest: Digest,
    userAgent: string | undefined,
  ): Promise<Head> {
    const key = keyOf(where, digest);
    return this.#heads.run(`${key}\n${sentAgent(client, userAgent)}`, async () => {
      // What a GET does not find is not there; what a HEAD does not find says nothing of a GET.
      this.#absent.check(`GET ${key}`);
      this.#absent.check(`HEAD ${key}`);
      const ask = { repository: where.repository, reference: digest, accept: MANIFEST_UNION, userAgent };
      const head = await unlessHidden(client.headManifest(ask));
      if (head === undefined) throw this.#isAbsent(client, where, digest, "HEAD");
      checkNamed(head, where, digest);
      const mediaType = manifestTypeOf(head.mediaType);
      if (mediaType === undefined || head.size === undefined)
        return headOf(await this.fetch(client, where, digest, userAgent));
      await this.#parts.access.recordLink(where, { digest, size: head.size });
      return { digest, mediaType, size: head.size };
    });
  }

  /** Checks and stores an upstream's answer for `reference`. Throws `digest-mismatch`, `upstream-protocol`. */
  async keep(
    { upstream, repository }: RepositoryKey,
    body: ManifestBody,
    reference: string,
    wanted?: Digest,
  ): Promise<Manifest> {
    const target = `${upstream}/${repository}${wanted === undefined ? ":" : "@"}${reference}`;
    const { manifest, links } = checkManifest(body, target, wanted);
    await this.#parts.metadata.recordManifest({ upstream, repository }, manifest, links);
    this.#hold(
      manifest,
      links.map((link) => link.digest),
    );
    return manifest;
  }

  /** H57: who was just given a manifest comes for its blobs next; they must not be the coldest then. */
  served(digest: Digest): void {
    const held = this.#held.get(digest);
    const now = this.#parts.clock.elapsed();
    if (held === undefined || now - held.servedAt < RENEW_MS) return;
    held.servedAt = now;
    for (const listed of held.listed) this.#parts.uses.touch(listed);
  }

  #hold(manifest: Manifest, listed: readonly Digest[]): void {
    this.#held.set(manifest.digest, { manifest, listed, servedAt: 0 });
  }

  #isAbsent(
    client: UpstreamClient,
    where: RepositoryKey,
    digest: Digest,
    method: "GET" | "HEAD",
  ): GranaryError {
    const lifetimeMs = client.upstream.policy.negativeLifetimeMs;
    const key = `${method} ${keyOf(where, digest)}`;
    return this.#absent.remember(key, lifetimeMs, notFound(where, digest));
  }
}

/** Where the upstream answers by User-Agent, askers with different ones do not share an answer; elsewhere it is not sent. */
export function sentAgent({ upstream }: UpstreamClient, userAgent: string | undefined): string {
  return upstream.forwardUserAgent ? (userAgent ?? "") : "";
}

export function headOf({ digest, mediaType, bytes }: Manifest): Head {
  return { digest, mediaType, size: bytes.length };
}

/** An upstream that names another digest than the one it was asked for would give us wrong bytes as well. */
function checkNamed({ digest: found }: ManifestHead, where: RepositoryKey, digest: Digest): void {
  if (found === undefined || algorithmOf(found) !== algorithmOf(digest) || found === digest) return;
  const target = `${where.upstream}/${where.repository}@${digest}`;
  throw new GranaryError("digest-mismatch", `The upstream answers for ${target} with ${found}.`, {
    expected: digest,
    found,
    target,
  });
}

function listedBy({ bytes, mediaType }: Manifest): Digest[] {
  try {
    return viewManifest(bytes, mediaType).links.map((link) => link.digest);
  } catch (error) {
    // Kept when the rules were laxer: its bytes are right all the same, and only the warmth of its blobs is lost.
    if (isGranaryError(error, "manifest-invalid")) return [];
    throw error;
  }
}

function keyOf({ upstream, repository }: RepositoryKey, digest: Digest): string {
  return `${upstream}\n${repository}\n${digest}`;
}
