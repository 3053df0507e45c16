/**
 * Owns referrers: always an OCI index. From the upstream's API, else from the tag scheme, else an empty one
 * (registry-clients.md H60: HTML or a bare 404 here breaks pulls). Answers are believed only as long as a "not there" is,
 * because a signature may appear at any time.
 */
import { LRUCache } from "lru-cache";
import { GranaryError, isGranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import type { Episodes } from "../observe/episodes.ts";
import { algorithmOf, encodedOf } from "../oci/digest.ts";
import { viewManifest } from "../oci/manifest-view.ts";
import { OCI_INDEX } from "../oci/media-types.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import type { Manifests } from "./manifests.ts";
import type { Asker, Outcome, ReferrersAnswer } from "./mirror.ts";
import { SingleFlight } from "./single-flight.ts";
import type { ReferrersTarget } from "./target.ts";

type Child = Record<string, unknown>;
/** `isFromApi`: the upstream's referrers API gave them, so that it has one. */
type Found = { readonly children: readonly Child[]; readonly isFromApi: boolean };
type Known = Found & { readonly until: number };

export class Referrers {
  readonly #manifests: Manifests;
  readonly #clock: Clock;
  readonly #episodes: Episodes;
  readonly #known = new LRUCache<string, Known>({ max: 2_000 });
  readonly #flights: SingleFlight<Found>;

  constructor(manifests: Manifests, clock: Clock, episodes: Episodes) {
    this.#manifests = manifests;
    this.#clock = clock;
    this.#episodes = episodes;
    this.#flights = new SingleFlight(clock);
  }

  async get(client: UpstreamClient, target: ReferrersTarget, asker: Asker): Promise<ReferrersAnswer> {
    const key = `${target.upstream}\n${target.repository}\n${target.digest}`;
    const known = this.#known.get(key);
    if (known !== undefined && known.until > this.#clock.elapsed())
      return answer(known.children, target, "hit");
    try {
      const found = await this.#flights.run(key, () => this.#ask(client, target, asker, known));
      const until = this.#clock.elapsed() + client.upstream.policy.negativeLifetimeMs;
      this.#known.set(key, { ...found, until });
      return answer(found.children, target, "miss");
    } catch (error) {
      if (isGranaryError(error, "closed")) throw error;
      // No referrers is what a verifier fails on and a plain pull lives with: the safe answer while nobody can be asked.
      const { upstream, repository, digest } = target;
      const facts = { repository, digest, code: codeOf(error) };
      this.#episodes.trouble(`referrers of ${upstream}`, facts, "referrers unknown");
      return answer(known?.children ?? [], target, "stale");
    }
  }

  async #ask(
    client: UpstreamClient,
    target: ReferrersTarget,
    asker: Asker,
    known: Known | undefined,
  ): Promise<Found> {
    const raw = await client.referrers(target.repository, target.digest);
    const children = raw === undefined ? undefined : childrenOf(raw);
    if (children !== undefined) return { children, isFromApi: true };
    // "No such API" is no word on signatures that the API itself has told of.
    if (known?.isFromApi === true && known.children.length > 0) {
      const reason = `${target.upstream} gave no referrers, though it did before`;
      throw new GranaryError("upstream-unavailable", `${reason}.`, { reason });
    }
    return { children: await this.#byTagScheme(client, target, asker), isFromApi: false };
  }

  /** distribution-spec, "Referrers tag schema": an index under `<algorithm>-<encoded>`, the latter cut to 64 characters. */
  async #byTagScheme(
    client: UpstreamClient,
    target: ReferrersTarget,
    asker: Asker,
  ): Promise<readonly Child[]> {
    const { upstream, repository, digest } = target;
    const tag = `${algorithmOf(digest)}-${encodedOf(digest).slice(0, 64)}`;
    try {
      const at = { kind: "manifest", upstream, repository, reference: { tag } } as const;
      const { manifest } = await this.#manifests.get(client, at, { ...asker, accept: [] });
      return childrenOf(manifest.bytes) ?? [];
    } catch (error) {
      if (isGranaryError(error, "not-found")) return [];
      throw error;
    }
  }
}

function answer(
  children: readonly Child[],
  { artifactType }: ReferrersTarget,
  outcome: Outcome,
): ReferrersAnswer {
  const manifests =
    artifactType === undefined ? children : children.filter((child) => child.artifactType === artifactType);
  const body = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  return { body, filtered: artifactType !== undefined, outcome };
}

/** undefined when the upstream answered something that is no index (GitLab answers HTML). */
function childrenOf(bytes: Uint8Array): readonly Child[] | undefined {
  try {
    const view = viewManifest(bytes, OCI_INDEX);
    return view.mediaType === OCI_INDEX || view.children.length > 0 ? view.children : undefined;
  } catch (error) {
    if (isGranaryError(error, "manifest-invalid")) return undefined;
    throw error;
  }
}

function codeOf(error: unknown): string {
  return error instanceof GranaryError ? error.code : "unexpected";
}
