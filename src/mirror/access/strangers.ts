/**
 * Owns what strangers may read, who have no login and no certificate of ours: which repositories, and which digests they were seen to get
 * there. A verdict counts for what existed when it was made; what appears later is looked at by itself. That we can read something ourselves
 * proves nothing.
 */
import { LRUCache } from "lru-cache";
import { GranaryError, isGranaryError, reasonOf } from "../../errors.ts";
import type { Metadata, RepositoryKey, Visibility } from "../../metadata/metadata.ts";
import { isYoungerThan } from "../../observe/age.ts";
import type { Clock } from "../../observe/clock.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { MANIFEST_UNION } from "../../oci/media-types.ts";
import { unlessHidden } from "../../upstream/registry/absence.ts";
import type { UpstreamClient, ViewAsk } from "../../upstream/upstream-client.ts";
import { mostEntries } from "../../waiting/expiry.ts";
import { ACCESS_RETRIES } from "../../waiting/retry-numbers.ts";
import { type Flight, SingleFlight } from "../../waiting/single-flight.ts";
import { Disappearances } from "../absence/disappearances.ts";

/** How long what was seen to be public is served from disk without another look. */
const PUBLIC_MS = 10 * 60_000;
const REMEMBERED = 50_000;

export type Evidence = ViewAsk["by"];

/** Strangers may not see it: it is private, or they cannot tell it from absent. Clients never see this error itself. */
export class Hidden extends GranaryError {
  /** Nobody can see it, not even we. */
  readonly isAbsent: boolean;

  constructor({ upstream, repository }: RepositoryKey, isAbsent: boolean) {
    super("denied", `${upstream}/${repository} does not show this to those who did not log in.`);
    this.isAbsent = isAbsent;
  }
}

/** It cannot be told now whether somebody may read it. */
export class Untold extends GranaryError {
  /** The registry did answer: somebody who shows a login may get another answer. */
  readonly isAnswered: boolean;

  constructor({ upstream, repository }: RepositoryKey, error: GranaryError) {
    const name = `${upstream}/${repository}`;
    const message = `It cannot be told now whether ${name} may be read without a login (${reasonOf(error)}), and what may be private is served to nobody. Try again later, or log in to Granary.`;
    const { retryAfterMs, upstreamStatus } = error.facts;
    const isLimited = error.code === "rate-limited";
    super(isLimited ? "rate-limited" : "upstream-unavailable", message, {
      target: name,
      cause: error,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
    this.isAnswered = isLimited || upstreamStatus !== undefined || error instanceof Refusing;
  }
}

/** What was public refuses strangers, once so far. */
class Refusing extends GranaryError {
  constructor({ upstream, repository }: RepositoryKey) {
    const reason = `${upstream} refuses those who did not log in, which may be a passing trouble`;
    super("upstream-unavailable", `${upstream}/${repository}: ${reason}.`, { reason });
  }
}

export class Strangers {
  readonly #metadata: Metadata;
  readonly #clock: Clock;
  readonly #probes: SingleFlight<Digest | undefined>;
  /** Public repositories that have refused strangers once. */
  readonly #refusals: Disappearances;
  readonly #given = new LRUCache<string, true>(mostEntries(REMEMBERED));
  /** What those documents list that strangers were given: they know these names, so they may have them while the upstream cannot be asked. */
  /** What was read before a removal must not be remembered after it. */
  #removals = 0;
  readonly #listed = new LRUCache<string, true>(mostEntries(REMEMBERED));

  constructor(metadata: Metadata, clock: Clock) {
    this.#metadata = metadata;
    this.#clock = clock;
    this.#probes = new SingleFlight(clock);
    this.#refusals = new Disappearances(clock);
  }

  /** True while the last word on the repository is that everybody may read it. */
  async mayRead(where: RepositoryKey): Promise<boolean> {
    return (await this.#metadata.visibility(where))?.isPublic === true;
  }

  /** The same, and whether that word is so old that another look is due. */
  async verdict(where: RepositoryKey): Promise<{ readonly isPublic: boolean; readonly isOld: boolean }> {
    const known = await this.#metadata.visibility(where);
    const isOld = known === undefined || !isYoungerThan(PUBLIC_MS, known.checkedAt, this.#clock.now());
    return { isPublic: known?.isPublic === true, isOld };
  }

  /** True when everybody could read the repository at `date` (epoch ms) or later, as far as is known. A verdict from the future proves nothing. */
  async wasPublicAt(where: RepositoryKey, date: number): Promise<boolean> {
    const known = await this.#metadata.visibility(where);
    return known?.isPublic === true && date <= known.checkedAt && known.checkedAt <= this.#clock.now();
  }

  async recordPublic(where: RepositoryKey): Promise<void> {
    await this.#record(where, { isPublic: true, checkedAt: this.#clock.now() });
  }

  /** True when strangers were seen to be given `digest` in this repository: it is no secret any more. */
  async wasGiven(where: RepositoryKey, digest: Digest): Promise<boolean> {
    const key = keyOf(where, digest);
    if (this.#given.has(key)) return true;
    const removals = this.#removals;
    if ((await this.#metadata.visibility(thingIn(where, digest)))?.isPublic !== true) return false;
    if (removals === this.#removals) this.#given.set(key, true);
    return true;
  }

  async recordGiven(where: RepositoryKey, digest: Digest): Promise<void> {
    if (await this.wasGiven(where, digest)) return;
    await this.recordPublic(thingIn(where, digest));
  }

  /** They were removed. */
  forget(where: RepositoryKey, digests: readonly Digest[]): void {
    this.#removals += 1;
    for (const digest of digests) {
      this.#given.delete(keyOf(where, digest));
      this.#listed.delete(keyOf(where, digest));
    }
  }

  /** Strangers were given the document `digest`, and so the names of what it lists. */
  recordParts(where: RepositoryKey, digest: Digest, listed: () => readonly Digest[]): void {
    const key = keyOf(where, digest);
    if (this.#listed.has(key)) return;
    for (const each of [digest, ...listed()]) this.#listed.set(keyOf(where, each), true);
  }

  /** True for what is part of something that strangers were given, as long as they may read the repository as far as is known. */
  async isPartOfGiven(where: RepositoryKey, named: string): Promise<boolean> {
    const isListed = isDigest(named) && this.#listed.has(keyOf(where, named));
    return isListed && (await this.mayRead(where));
  }

  /**
   * Asks the upstream as a stranger, once for everybody who asks for the same meanwhile. Resolves when strangers may read `by` now, with its
   * digest where that was told. Rejects with Hidden, or, where it cannot be told now, `rate-limited` or `upstream-unavailable`. `isNamed`: the
   * request names `by` itself, so nothing else counts; otherwise `by` was chosen to stand for its repository.
   */
  look(
    client: UpstreamClient,
    where: RepositoryKey,
    by: Evidence,
    isNamed: boolean,
  ): Flight<Digest | undefined> {
    const key = `${nameOf(where)}\n${"blob" in by ? by.blob : by.manifest}\n${isNamed}`;
    return this.#probes.join(key, async () => {
      try {
        return await this.#look(client, where, by, isNamed);
      } catch (error) {
        throw untoldOf(where, error);
      }
    });
  }

  async #look(
    client: UpstreamClient,
    where: RepositoryKey,
    by: Evidence,
    isNamed: boolean,
  ): Promise<Digest | undefined> {
    const { repository } = where;
    const isPublic = await this.mayRead(where);
    const isReadable = () => isReadableByUs(client, repository, by);
    const first = await client.viewAnonymously({ repository, by, looksNoFurther: isPublic && isNamed });
    let { view, digest } = first;
    if (isPublic && view === "unseen") {
      // It does not exist: that is no secret, and says nothing of the repository.
      if (!(await isReadable())) throw new Hidden(where, true);
      if (isNamed) ({ view, digest } = await client.viewAnonymously({ repository, by }));
    }
    if (view === "open" || view === "granted") this.#refusals.seen(nameOf(where));
    if (view === "granted") return undefined;
    if (view === "open") return await this.#isOpen(where, digest);
    // A token that strangers get opens it, so it is not private. Some registries refuse what is absent even with such a token.
    if (view === "unclear") throw (await isReadable()) ? new Refusing(where) : new Hidden(where, true);
    if (isPublic) await this.#isRefused(where, view === "closed");
    throw new Hidden(where, false);
  }

  async #isOpen(where: RepositoryKey, digest: Digest | undefined): Promise<Digest | undefined> {
    await this.recordPublic(where);
    if (digest !== undefined) await this.recordGiven(where, digest);
    return digest;
  }

  /** Registries in trouble refuse everybody. So what was public counts as private at the second refusal, or when a token says so (`isSure`). */
  async #isRefused(where: RepositoryKey, isSure: boolean): Promise<void> {
    if (!isSure && this.#refusals.saidMissing(nameOf(where), ACCESS_RETRIES.refusalsApartMs) > 0)
      throw new Refusing(where);
    await this.#record(where, { isPublic: false, checkedAt: this.#clock.now() });
  }

  #record(where: RepositoryKey, visibility: Visibility): Promise<void> {
    return this.#metadata.recordVisibility(where, visibility);
  }
}

/** Failures that say nothing of who may read a repository. */
const UNTOLD = [
  "rate-limited",
  "upstream-unavailable",
  "upstream-protocol",
  "upstream-refused",
  "unauthorized",
  "denied",
  "config-invalid",
] as const;

/** The error for clients where `error` kept an upstream from telling who may read; `error` itself where it is another one. */
export function untoldOf(where: RepositoryKey, error: unknown): unknown {
  return isGranaryError(error, ...UNTOLD) && !(error instanceof Hidden) ? new Untold(where, error) : error;
}

async function isReadableByUs(client: UpstreamClient, repository: string, by: Evidence): Promise<boolean> {
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

/** The name under which it is noted who may see one digest of a repository. */
export function thingIn({ upstream, repository }: RepositoryKey, digest: Digest): RepositoryKey {
  return { upstream, repository: `${repository}@${digest}` };
}

function keyOf(where: RepositoryKey, digest: Digest): string {
  return nameOf(thingIn(where, digest));
}

function nameOf({ upstream, repository }: RepositoryKey): string {
  return `${upstream}\n${repository}`;
}
