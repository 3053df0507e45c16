/**
 * Owns the answers to manifest targets: tags.ts resolves a tag to a digest, manifest-bytes.ts has the bytes, and here the two become
 * one answer. A HEAD never tells another type or size than the GET after it.
 */
import { isGranaryError } from "../errors.ts";
import type { TagKey } from "../metadata/metadata.ts";
import { ageOf } from "../observe/age.ts";
import type { Clock } from "../observe/clock.ts";
import type { Episodes } from "../observe/episodes.ts";
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import { MANIFEST_UNION, OCTET_STREAM } from "../oci/media-types.ts";
import type { ManifestTarget } from "../routing/target.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import { askBeyond } from "./manifests/accept.ts";
import { headOf, ManifestBytes, type ManifestParts } from "./manifests/manifest-bytes.ts";
import type { ManifestAnswer, ManifestAsker, ManifestHeadAnswer } from "./mirror.ts";
import type { TagUses } from "./space/tag-uses.ts";
import type { ResolvedTag } from "./tags/resolved-tag.ts";
import { Tags } from "./tags/tags.ts";

export class Manifests {
  readonly #bytes: ManifestBytes;
  readonly #tags: Tags;
  readonly #tagUses: TagUses;
  readonly #clock: Clock;
  readonly #parts: ManifestParts;

  constructor(parts: ManifestParts & { readonly episodes: Episodes; readonly tagUses: TagUses }) {
    this.#parts = parts;
    this.#bytes = new ManifestBytes(parts);
    this.#tags = new Tags(parts, this.#bytes, parts.episodes);
    this.#tagUses = parts.tagUses;
    this.#clock = parts.clock;
  }

  /** The manifest with its bytes. Codes: see Mirror. */
  async get(client: UpstreamClient, target: ManifestTarget, ask: ManifestAsker): Promise<ManifestAnswer> {
    const { reference } = target;
    const answer =
      "tag" in reference
        ? await this.#getByTag(client, target, reference.tag, ask)
        : await this.#getByDigest(client, target, reference.digest, ask);
    this.#bytes.served(answer.manifest.digest);
    return answer;
  }

  /** The same without bytes: what one HEAD settles costs no GET. */
  async head(
    client: UpstreamClient,
    target: ManifestTarget,
    ask: ManifestAsker,
  ): Promise<ManifestHeadAnswer> {
    const { reference } = target;
    return "tag" in reference
      ? await this.#headByTag(client, target, reference.tag, ask)
      : await this.#headByDigest(client, target, reference.digest, ask);
  }

  /**
   * What `get` gives, or with `isHead` what `head` tells, where all of it is in memory and nobody has to be asked or waited for; undefined in
   * all other cases, and then nothing has happened.
   */
  atOnce(
    client: UpstreamClient,
    target: ManifestTarget,
    { accept }: ManifestAsker,
    isHead: boolean,
  ): ManifestAnswer | undefined {
    const { reference } = target;
    const found =
      "tag" in reference
        ? this.#freshTag(client, target, reference.tag, accept)
        : this.#rememberedDigest(target, reference.digest);
    if (found === undefined) return undefined;
    if ("tag" in reference) this.#tagUses.touch(target, reference.tag);
    if (!isHead) this.#bytes.served(found.manifest.digest);
    return { ...found, outcome: "hit", warning: undefined };
  }

  #freshTag(client: UpstreamClient, target: ManifestTarget, tag: string, accept: readonly string[]) {
    const { upstream, repository } = target;
    const record = this.#tags.fresh(client, { upstream, repository, tag }, accept);
    const manifest = record && this.#bytes.remembered(record.digest, record.mediaType);
    return manifest && { manifest, ageMs: ageOf(record.checkedAt, this.#clock.now()) };
  }

  #rememberedDigest(target: ManifestTarget, digest: Digest) {
    if (this.#parts.cooldown.isCooling(target.upstream)) return undefined;
    const manifest = this.#bytes.rememberedIn(target, digest);
    return manifest && { manifest, ageMs: 0 };
  }

  /** These were removed: nothing of them is answered from memory any more. */
  forgetHere(tags: readonly TagKey[], digests: readonly Digest[]): void {
    this.#tags.forgetHere(tags);
    for (const digest of digests) this.#bytes.forgetHere(digest);
  }

  /** See Tags. */
  expire(where: Omit<TagKey, "acceptClass">): void {
    this.#tags.expire(where);
  }

  /** Throws HeldBack for what is new to this repository, where new content has to wait. */
  async #admit(client: UpstreamClient, target: ManifestTarget, digest: Digest, { userAgent }: ManifestAsker) {
    const { cooldown, links } = this.#parts;
    if ((await links.find(target, digest)) !== undefined) return;
    const ask = { repository: target.repository, reference: digest, accept: MANIFEST_UNION, userAgent };
    await cooldown.admitDigest(target, digest, async () => {
      const head = await client.headManifest(ask);
      return head && { digest, mediaType: head.mediaType ?? OCTET_STREAM, size: head.size ?? 0 };
    });
  }

  /** Somebody brought in a name, under the tag `key` where it has one. */
  imported(key: TagKey | undefined): void {
    this.#bytes.imported();
    if (key !== undefined) this.#tags.imported(key);
  }

  async #getByTag(client: UpstreamClient, target: ManifestTarget, tag: string, ask: ManifestAsker) {
    const resolved = await this.#tags.resolve(client, { ...target, tag }, ask, true);
    this.#tagUses.touch(target, tag);
    const { digest, mediaType } = resolved.record;
    const stored = await this.#bytes.stored(digest, mediaType);
    const { record, outcome, warning, manifest } =
      stored === undefined ? await this.#fetched(client, resolved, ask) : { ...resolved, manifest: stored };
    return { manifest, outcome, warning, ageMs: ageOf(record.checkedAt, this.#clock.now()) };
  }

  /** The bytes of a tag that only HEADs have asked for so far. */
  async #fetched(
    client: UpstreamClient,
    resolved: ResolvedTag,
    ask: ManifestAsker,
  ): Promise<ResolvedTag & { readonly manifest: Manifest }> {
    const { record } = resolved;
    try {
      const fetched = askBeyond(record.acceptClass === "" ? [] : ask.accept, (accept) =>
        this.#bytes.fetch(client, record, record.digest, ask.userAgent, accept),
      );
      // What the tag means may have been known: the bytes were not.
      const outcome = resolved.outcome === "stale" ? resolved.outcome : "miss";
      return { ...resolved, outcome, manifest: await fetched };
    } catch (error) {
      // The digest is not there. The tag may still be: it may have moved meanwhile, or a replica lags behind. So it is asked for itself.
      if (!isGranaryError(error, "not-found")) throw error;
      const again = await this.#tags.refetch(client, record, ask);
      const manifest = await this.#bytes.stored(again.record.digest, again.record.mediaType);
      if (manifest === undefined) throw error;
      return { ...again, manifest };
    }
  }

  async #headByTag(client: UpstreamClient, target: ManifestTarget, tag: string, ask: ManifestAsker) {
    const { record, outcome, warning } = await this.#tags.resolve(client, { ...target, tag }, ask, false);
    this.#tagUses.touch(target, tag);
    // The document's own word for its type counts more than the header that the record may have it from (docs/protocol.md#manifest-types).
    const stored = await this.#bytes.stored(record.digest, record.mediaType);
    const { digest, mediaType, size } = stored === undefined ? record : headOf(stored);
    return { digest, mediaType, size, outcome, warning, ageMs: ageOf(record.checkedAt, this.#clock.now()) };
  }

  async #getByDigest(
    client: UpstreamClient,
    target: ManifestTarget,
    digest: Digest,
    ask: ManifestAsker,
  ): Promise<ManifestAnswer> {
    if (this.#parts.cooldown.isCooling(target.upstream)) await this.#admit(client, target, digest, ask);
    return await askBeyond(ask.accept, async (accept) => {
      const stored = await this.#bytes.storedIn(client, target, digest, ask.userAgent, accept);
      const manifest = stored ?? (await this.#bytes.fetch(client, target, digest, ask.userAgent, accept));
      return { manifest, outcome: stored === undefined ? "miss" : "hit", warning: undefined, ageMs: 0 };
    });
  }

  async #headByDigest(
    client: UpstreamClient,
    target: ManifestTarget,
    digest: Digest,
    ask: ManifestAsker,
  ): Promise<ManifestHeadAnswer> {
    if (this.#parts.cooldown.isCooling(target.upstream)) await this.#admit(client, target, digest, ask);
    return await askBeyond(ask.accept, async (accept) => {
      const stored = await this.#bytes.storedIn(client, target, digest, ask.userAgent, accept);
      const head =
        stored === undefined
          ? await this.#bytes.head(client, target, digest, ask.userAgent, accept)
          : headOf(stored);
      return { ...head, outcome: stored === undefined ? "miss" : "hit", warning: undefined, ageMs: 0 };
    });
  }
}
