/**
 * Owns who may be served what: a digest only through a repository that has been seen to contain it, and content that only
 * our credentials can read only to clients that logged in (registry-clients.md F.4). Storage is shared between
 * repositories, permission never is.
 */
import { LRUCache } from "lru-cache";
import { GranaryError } from "../errors.ts";
import type { Link, Metadata, RepositoryKey } from "../metadata/metadata.ts";
import type { Clock } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import type { Asker } from "./mirror.ts";
import { SingleFlight } from "./single-flight.ts";

/** How long a probe without credentials is believed, when it found the repository public, and when not. */
const PUBLIC_MS = 3600_000;
const PRIVATE_MS = 60_000;

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
   * Returns when `asker` may see what `client` can read of `repository`; `reference` is any manifest to probe with.
   * Throws `denied`, or what the probe threw when nothing is known yet.
   */
  async check(client: UpstreamClient, repository: string, reference: string, asker: Asker): Promise<void> {
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

  async #isPublic(client: UpstreamClient, repository: string, reference: string): Promise<boolean> {
    const where = { upstream: client.upstream.name, repository };
    const known = await this.#metadata.visibility(where);
    const age = known === undefined ? Number.POSITIVE_INFINITY : this.#clock.now() - known.checkedAt;
    if (known !== undefined && age < (known.isPublic ? PUBLIC_MS : PRIVATE_MS)) return known.isPublic;
    try {
      return await this.#probes.run(`${where.upstream}\n${repository}`, () =>
        this.#probe(client, where, reference),
      );
    } catch (error) {
      // What is stored stays reachable while the upstream is down: the last known answer holds.
      if (known !== undefined) return known.isPublic;
      throw error;
    }
  }

  async #probe(client: UpstreamClient, where: RepositoryKey, reference: string): Promise<boolean> {
    const isPublic = await client.isPublic(where.repository, reference);
    await this.#metadata.recordVisibility(where, { isPublic, checkedAt: this.#clock.now() });
    return isPublic;
  }
}

function keyOf({ upstream, repository }: RepositoryKey, digest: Digest): string {
  return `${upstream}\n${repository}\n${digest}`;
}
