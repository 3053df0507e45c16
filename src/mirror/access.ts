/**
 * Owns who may be served what: a digest only through a repository that has been seen to contain it, and content that only
 * our credentials can read only to clients that logged in (registry-clients.md F.4). Storage is shared between
 * repositories, permission never is.
 */
import { LRUCache } from "lru-cache";
import { GranaryError } from "../errors.ts";
import type { Link, Metadata, RepositoryKey, Visibility } from "../metadata/metadata.ts";
import type { Clock } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import { MANIFEST_UNION } from "../oci/media-types.ts";
import { unlessHidden } from "../upstream/unless-hidden.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import type { Asker } from "./mirror.ts";
import { notFound } from "./not-found.ts";
import { SingleFlight } from "./single-flight.ts";
import { untilDeadline } from "./until-deadline.ts";

/** How long a probe without credentials is believed, when it found the repository public, and when not. */
const PUBLIC_MS = 3600_000;
const PRIVATE_MS = 60_000;
/** What a repository is probed with when nothing names a manifest of it. */
const ANY_TAG = "latest";

export class Access {
  readonly #metadata: Metadata;
  readonly #clock: Clock;
  readonly #links = new LRUCache<string, Link>({ max: 50_000 });
  readonly #probes: SingleFlight<boolean>;

  constructor(metadata: Metadata, clock: Clock) {
    this.#metadata = metadata;
    this.#clock = clock;
    this.#probes = new SingleFlight(clock);
  }

  /**
   * Returns when `asker` may see what `client` can read of `repository`; `reference` is the manifest to probe with, if one was
   * named. Throws `denied`, `not-found` (neither we nor anybody can read that manifest), or what the probe threw when
   * nothing is known yet.
   */
  async check(
    client: UpstreamClient,
    repository: string,
    reference: string | undefined,
    asker: Asker,
  ): Promise<void> {
    const { upstream } = client;
    if (upstream.credentials === undefined || asker.loggedIn || upstream.policy.privateContent === "share")
      return;
    if (await this.#isPublic(client, repository, reference)) return;
    throw new GranaryError(
      "denied",
      `${upstream.name}/${repository} is private: only Granary's own credentials can read it. Log in to Granary, or set privateContent: share for this upstream.`,
      { target: `${upstream.name}/${repository}` },
    );
  }

  /** The link of `digest` in this repository; undefined when the repository was never seen to contain it. */
  async link(where: RepositoryKey, digest: Digest): Promise<Link | undefined> {
    const key = keyOf(where, digest);
    const known = this.#links.get(key) ?? (await this.#metadata.link(where, digest));
    if (known !== undefined) this.#links.set(key, known);
    return known;
  }

  async recordLink(where: RepositoryKey, link: Link): Promise<void> {
    await this.#metadata.recordLink(where, link);
    this.#links.delete(keyOf(where, link.digest));
  }

  /** Some descriptor stated a wrong size of `digest`: no link may state one any more. */
  async forgetSizes(digest: Digest): Promise<void> {
    await this.#metadata.forgetSizes(digest);
    this.#links.clear();
  }

  async #isPublic(
    client: UpstreamClient,
    repository: string,
    reference: string | undefined,
  ): Promise<boolean> {
    const where = { upstream: client.upstream.name, repository };
    const known = await this.#metadata.visibility(where);
    if (known !== undefined && this.#isBelieved(known)) return known.isPublic;
    const key = `${where.upstream}\n${repository}\n${reference ?? ""}`;
    const flight = this.#probes.join(key, () => this.#probe(client, where, reference));
    if (known === undefined) return await flight.result;
    // What is stored stays reachable while the upstream is down or slow, or lost what we probe with: what was known holds.
    const inTime = flight.result.catch(() => known.isPublic);
    const deadline = flight.startedAt + client.upstream.policy.offlineDeadlineMs;
    return (await untilDeadline(inTime, deadline, this.#clock)) ?? known.isPublic;
  }

  #isBelieved({ isPublic, checkedAt }: Visibility): boolean {
    return this.#clock.now() - checkedAt < (isPublic ? PUBLIC_MS : PRIVATE_MS);
  }

  /**
   * Private is what we can read and nobody else. That an anonymous caller does not find a manifest says nothing by itself:
   * registries answer 404 and 401 alike for what is absent (registry-clients.md C.5).
   */
  async #probe(
    client: UpstreamClient,
    where: RepositoryKey,
    reference: string | undefined,
  ): Promise<boolean> {
    const { repository } = where;
    const probed = reference ?? (await this.#metadata.tagsOf(where))[0] ?? ANY_TAG;
    const isPublic = await client.isPublic(repository, probed);
    const ask = { repository, reference: probed, accept: MANIFEST_UNION, userAgent: undefined };
    if (!isPublic && (await unlessHidden(client.headManifest(ask))) === undefined)
      throw notFound(where, probed);
    await this.#metadata.recordVisibility(where, { isPublic, checkedAt: this.#clock.now() });
    return isPublic;
  }
}

function keyOf({ upstream, repository }: RepositoryKey, digest: Digest): string {
  return `${upstream}\n${repository}\n${digest}`;
}
