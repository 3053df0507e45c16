/**
 * Owns which digests a repository contains. It contains a digest once its own upstream has answered for it there. A document that lists
 * the digest tells its size, and permits nothing. Stored bytes are shared between repositories, permission never is.
 */
import { LRUCache } from "lru-cache";
import { changedLink } from "../../metadata/link-change.ts";
import type { Link, LinkChange, Listed, Metadata, RepositoryKey } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import { type Digest, possibleSize } from "../../oci/digest.ts";
import type { Manifest } from "../../oci/manifest.ts";
import type { BlobHead, UpstreamClient } from "../../upstream/upstream-client.ts";
import { mostEntries } from "../../waiting/expiry.ts";
import { Semaphore } from "../../waiting/semaphore.ts";
import { SingleFlight } from "../../waiting/single-flight.ts";
import { NegativeAnswers } from "../absence/negative-answers.ts";
import { notFound } from "../absence/not-found.ts";

const REMEMBERED = 50_000;
/** Questions about blobs that one upstream is asked at the same time. Clients that invent digests wait for each other. */
const MOST_AT_ONCE = 32;

export class Links {
  readonly #metadata: Metadata;
  readonly #known = new LRUCache<string, Link>(mostEntries(REMEMBERED));
  readonly #questions: SingleFlight<Link>;
  readonly #absent: NegativeAnswers;
  readonly #turns = new Semaphore(MOST_AT_ONCE);
  /** Counts changes: what was read before a change must not be remembered after it. */
  #changes = 0;

  constructor(metadata: Metadata, clock: Clock) {
    this.#metadata = metadata;
    this.#questions = new SingleFlight(clock);
    this.#absent = new NegativeAnswers(clock);
  }

  /** What is known of `digest` in this repository; undefined when nothing is. */
  async find(where: RepositoryKey, digest: Digest): Promise<Link | undefined> {
    const key = keyOf(where, digest);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const changes = this.#changes;
    const link = await this.#metadata.link(where, digest);
    if (link !== undefined && changes === this.#changes) this.#known.set(key, link);
    return link;
  }

  /** The same, as far as it is in memory. */
  remembered(where: RepositoryKey, digest: Digest): Link | undefined {
    return this.#known.get(keyOf(where, digest));
  }

  async record(where: RepositoryKey, change: LinkChange): Promise<void> {
    await this.#metadata.recordLink(where, change);
    this.#forget(where, change.digest);
  }

  /** A manifest that this repository's upstream gave, with what it lists. */
  async recordManifest(where: RepositoryKey, manifest: Manifest, listed: readonly Listed[]): Promise<void> {
    await this.#metadata.recordManifest(where, manifest, listed);
    for (const { digest } of [manifest, ...listed]) this.#forget(where, digest);
  }

  /** These were brought in from elsewhere, and their rows are written. */
  imported(where: RepositoryKey, digests: Iterable<Digest>): void {
    for (const digest of digests) this.#forget(where, digest);
    this.#absent.clear();
  }

  /** True for what the owner of this Granary brought in: everybody may have it. */
  async isImported(where: RepositoryKey, digest: Digest): Promise<boolean> {
    return (await this.find(where, digest))?.isImported === true;
  }

  /**
   * The blob's size in bytes, after the repository's own upstream has answered for it there: it is asked once, by HEAD, and where that
   * and a document contradict each other, by a GET of one byte. undefined when it is there and nobody states its size. Throws
   * `not-found`, and what kept the upstream from answering.
   */
  async confirm(client: UpstreamClient, where: RepositoryKey, digest: Digest): Promise<number | undefined> {
    const known = await this.find(where, digest);
    const link = known?.confirmed === undefined ? await this.#ask(client, where, digest, "headBlob") : known;
    const size = confirmedSize(link);
    if (size !== undefined || isUntold(link)) return size;
    return await this.measure(client, where, digest);
  }

  /** The same by an answer with bytes: what counts where others contradict each other. */
  async measure(client: UpstreamClient, where: RepositoryKey, digest: Digest): Promise<number | undefined> {
    return confirmedSize(await this.#ask(client, where, digest, "measureBlob"));
  }

  /** Throws `not-found` while an absence of the blob there is believed. */
  refuseAbsent(where: RepositoryKey, digest: Digest): void {
    this.#absent.check(keyOf(where, digest));
  }

  /** The upstream says that the blob is not there, as it was asked for the bytes: believed for a while, unless it was there before. */
  async foundAbsent({ upstream }: UpstreamClient, where: RepositoryKey, digest: Digest): Promise<Error> {
    const isNew = (await this.find(where, digest))?.confirmed === undefined;
    const { negativeLifetimeMs } = upstream.policy;
    return isNew ? this.#remember(where, digest, negativeLifetimeMs) : notFound(where, digest);
  }

  /** One question for everybody who asks meanwhile; an absence is believed for a while. */
  #ask(
    client: UpstreamClient,
    where: RepositoryKey,
    digest: Digest,
    how: "headBlob" | "measureBlob",
  ): Promise<Link> {
    const key = keyOf(where, digest);
    return this.#questions.run(`${how} ${key}`, async () => {
      this.#absent.check(key);
      const told = how === "headBlob" ? await this.#metadata.link(where, digest) : undefined;
      // Another node of a fleet may have asked since this was remembered.
      if (told?.confirmed !== undefined) return told;
      const head = await this.#turns.run(where.upstream, () => client[how](where.repository, digest));
      if (head === undefined) throw this.#remember(where, digest, client.upstream.policy.negativeLifetimeMs);
      const answer = confirmation(digest, head);
      await this.record(where, answer);
      // Also where the database cannot be read back, the answer counts.
      return changedLink(await this.find(where, digest), answer);
    });
  }

  #remember(where: RepositoryKey, digest: Digest, lifetimeMs: number): Error {
    return this.#absent.remember(keyOf(where, digest), lifetimeMs, notFound(where, digest));
  }

  /** The rows of these were deleted: what is in memory counts no more. */
  forgetAll(where: RepositoryKey, digests: readonly Digest[]): void {
    for (const digest of digests) this.#forget(where, digest);
  }

  #forget(where: RepositoryKey, digest: Digest): void {
    this.#changes += 1;
    this.#known.delete(keyOf(where, digest));
  }
}

/** The upstream was looked at closely, and tells no size. */
function isUntold({ confirmed }: Link): boolean {
  return confirmed?.isMeasured === true && confirmed.size === undefined;
}

/** What the documents of the repository state; undefined where that cannot be the size of this digest. */
export function statedSize({ digest, stated }: Link): number | undefined {
  return possibleSize(digest, stated);
}

/** The size that the upstream said, or where it says none, that the documents state; undefined where the two contradict each other. */
function confirmedSize(link: Link): number | undefined {
  const { digest, confirmed } = link;
  const stated = statedSize(link);
  const said = possibleSize(digest, confirmed?.size);
  if (said === undefined) return stated;
  return confirmed?.isMeasured === true || stated === undefined || stated === said ? said : undefined;
}

function confirmation(digest: Digest, { size, isMeasured }: BlobHead): LinkChange {
  return { kind: "confirmed", digest, size, isMeasured, mediaType: undefined };
}

function keyOf({ upstream, repository }: RepositoryKey, digest: Digest): string {
  return `${upstream}\n${repository}\n${digest}`;
}
