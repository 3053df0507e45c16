/**
 * Owns which repositories a client may see: content that only our credentials can read is for clients that logged in
 * (registry-clients.md F.4). Which digests a repository contains is links.ts's.
 */
import { LRUCache } from "lru-cache";
import { GranaryError, isGranaryError, reasonOf } from "../errors.ts";
import type { Metadata, RepositoryKey, Visibility } from "../metadata/metadata.ts";
import type { Clock } from "../observe/clock.ts";
import { MANIFEST_UNION } from "../oci/media-types.ts";
import { unlessHidden } from "../upstream/unless-hidden.ts";
import type { UpstreamClient, ViewAsk } from "../upstream/upstream-client.ts";
import { isYoungerThan } from "./age.ts";
import { Disappearances } from "./disappearances.ts";
import type { Asker } from "./mirror.ts";
import { notFound } from "./not-found.ts";
import { type Flight, SingleFlight } from "./single-flight.ts";
import type { ManifestTarget, Target } from "./target.ts";
import { untilDeadline } from "./until-deadline.ts";

/** How long a probe without credentials is believed, when it found the repository public, and when not. */
const PUBLIC_MS = 3600_000;
const PRIVATE_MS = 60_000;
/** How long a probe that could not tell is not repeated for a repository that something is known of. */
const RECHECK_MS = 10_000;
/** What a repository is probed with when nothing names anything in it. */
const ANY_TAG = "latest";

export class Access {
  readonly #metadata: Metadata;
  readonly #clock: Clock;
  readonly #probes: SingleFlight<boolean>;
  /** Public repositories that refused those who did not log in, once so far. */
  readonly #refusals: Disappearances;
  /** Until when probes are not repeated, of the clock's `elapsed`. */
  readonly #untold = new LRUCache<string, number>({ max: 10_000 });

  constructor(metadata: Metadata, clock: Clock) {
    this.#metadata = metadata;
    this.#clock = clock;
    this.#probes = new SingleFlight(clock);
    this.#refusals = new Disappearances(clock);
  }

  /**
   * Returns when `asker` may see what `client` can read of the target's repository. Throws `denied`, `not-found` (neither we nor anybody
   * can read what was asked for), or, when nothing is known yet and cannot be told now, what kept it from being told.
   */
  async check(client: UpstreamClient, target: Target, asker: Asker): Promise<void> {
    const { upstream } = client;
    if (upstream.credentials === undefined || asker.loggedIn || upstream.policy.privateContent === "share")
      return;
    if (await this.#isPublic(client, target)) return;
    const name = `${upstream.name}/${target.repository}`;
    throw new GranaryError(
      "denied",
      `${name} is private: only Granary's own credentials can read it. Log in to Granary, or set privateContent: share for this upstream.`,
      { target: name },
    );
  }

  async #isPublic(client: UpstreamClient, target: Target): Promise<boolean> {
    const where = { upstream: client.upstream.name, repository: target.repository };
    const known = await this.#metadata.visibility(where);
    if (known === undefined) return await this.#firstProbe(client, where, target);
    if (this.#isBelieved(known)) return known.isPublic;
    // What is stored stays reachable while the upstream is down or slow, limits us, or lost what we probe with: what was known holds.
    const name = nameOf(where);
    if ((this.#untold.get(name) ?? 0) > this.#clock.elapsed()) return known.isPublic;
    const flight = this.#probe(client, where, target, known);
    const inTime = flight.result.catch(() => {
      this.#untold.set(name, this.#clock.elapsed() + RECHECK_MS);
      return known.isPublic;
    });
    const deadline = flight.startedAt + client.upstream.policy.offlineDeadlineMs;
    return (await untilDeadline(inTime, deadline, this.#clock)) ?? known.isPublic;
  }

  #isBelieved({ isPublic, checkedAt }: Visibility): boolean {
    return isYoungerThan(isPublic ? PUBLIC_MS : PRIVATE_MS, checkedAt, this.#clock.now());
  }

  /** Nothing is known: what cannot be told to be public is not served, and not called private either. */
  async #firstProbe(client: UpstreamClient, where: RepositoryKey, target: Target): Promise<boolean> {
    try {
      return await this.#probe(client, where, target, undefined).result;
    } catch (error) {
      throw isGranaryError(error, ...UNTOLD) ? untold(where, error) : error;
    }
  }

  /** One for everybody who asks meanwhile for the same thing. */
  #probe(
    client: UpstreamClient,
    where: RepositoryKey,
    target: Target,
    known: Visibility | undefined,
  ): Flight<boolean> {
    const { named, by } = probeOf(target);
    return this.#probes.join(`${nameOf(where)}\n${named ?? ""}`, async () => {
      const evidence = by ?? { manifest: (await this.#metadata.tagsOf(where))[0] ?? ANY_TAG };
      const isPublic = await this.#look(client, where, evidence, named, known);
      await this.#metadata.recordVisibility(where, { isPublic, checkedAt: this.#clock.now() });
      return isPublic;
    });
  }

  /**
   * Private is what we can read and nobody else. That an anonymous caller does not find something says nothing by itself:
   * registries answer 404 and 401 alike for what is absent (registry-clients.md C.5).
   */
  async #look(
    client: UpstreamClient,
    where: RepositoryKey,
    by: ViewAsk["by"],
    named: string | undefined,
    known: Visibility | undefined,
  ): Promise<boolean> {
    const { repository } = where;
    const name = nameOf(where);
    const view = await client.viewAnonymously({ repository, by });
    if (view === "open") return this.#isOpen(name);
    // A repository that does not exist yet may be made private when it does: nothing is recorded of it.
    if (!(await isReadableByUs(client, repository, by))) throw notFound(where, named ?? "tags/list");
    if (view === "granted") return this.#isOpen(name);
    if (view === "unclear") throw refusing(where);
    // Registries in trouble refuse everybody: without a token's own word, what was public is private at the second refusal.
    const isSure = view === "closed" || known?.isPublic !== true;
    if (!isSure && this.#refusals.saidMissing(name, RECHECK_MS) > 0) throw refusing(where);
    return false;
  }

  #isOpen(name: string): true {
    this.#refusals.seen(name);
    return true;
  }
}

/** Failures that say nothing of who may read a repository. */
const UNTOLD = [
  "rate-limited",
  "upstream-unavailable",
  "upstream-protocol",
  "unauthorized",
  "denied",
  "config-invalid",
] as const;

function refusing({ upstream, repository }: RepositoryKey): GranaryError {
  const reason = `${upstream} refuses those who did not log in, which may be a passing trouble`;
  return new GranaryError("upstream-unavailable", `${upstream}/${repository}: ${reason}.`, { reason });
}

function untold({ upstream, repository }: RepositoryKey, error: GranaryError): GranaryError {
  const name = `${upstream}/${repository}`;
  const message = `It cannot be told now whether ${name} may be read without a login (${reasonOf(error)}), and what may be private is served to nobody. Try again later, or log in to Granary.`;
  const { retryAfterMs } = error.facts;
  return new GranaryError(error.code === "rate-limited" ? "rate-limited" : "upstream-unavailable", message, {
    target: name,
    cause: error,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** What of the repository the request is about, if it names anything: whoever may read that may read its repository. */
function probeOf(target: Target): { readonly named?: string; readonly by?: ViewAsk["by"] } {
  if (target.kind === "tags") return {};
  if (target.kind === "blob") return { named: target.digest, by: { blob: target.digest } };
  const named = target.kind === "referrers" ? target.digest : wantedOf(target.reference);
  return { named, by: { manifest: named } };
}

function wantedOf(reference: ManifestTarget["reference"]): string {
  return "tag" in reference ? reference.tag : reference.digest;
}

async function isReadableByUs(
  client: UpstreamClient,
  repository: string,
  by: ViewAsk["by"],
): Promise<boolean> {
  const ask = { repository, accept: MANIFEST_UNION, userAgent: undefined };
  const asking =
    "blob" in by
      ? client.headBlob(repository, by.blob)
      : client.headManifest({ ...ask, reference: by.manifest });
  try {
    return (await unlessHidden<unknown>(asking)) !== undefined;
  } catch (error) {
    if (isGranaryError(error, "denied") && error.facts.upstreamStatus === 403) return false;
    throw error;
  }
}

function nameOf({ upstream, repository }: RepositoryKey): string {
  return `${upstream}\n${repository}`;
}
