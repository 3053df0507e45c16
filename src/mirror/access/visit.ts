/**
 * Owns one request of a stranger to an upstream that shows us more than it shows strangers. The upstream is asked as a stranger before
 * anything is fetched with our login or certificate, and before anything is given out that no stranger was seen to get.
 */
import type { LRUCache } from "lru-cache";
import type { Metadata, RepositoryKey } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Target } from "../../routing/target.ts";
import type { UpstreamClient } from "../../upstream/upstream-client.ts";
import { untilDeadline } from "../../waiting/deadline.ts";
import { ACCESS_RETRIES } from "../../waiting/retry-numbers.ts";
import { type Evidence, Hidden, type Strangers } from "./strangers.ts";

export type VisitParts = {
  readonly metadata: Metadata;
  readonly clock: Clock;
  readonly strangers: Strangers;
  /** The blob's bytes are here, or on their way from this upstream. */
  readonly holds: (upstream: string, digest: Digest) => Promise<boolean>;
  /** Everybody may have that digest there, because the owner of this Granary brought it in. */
  readonly isImported: (where: RepositoryKey, digest: Digest) => Promise<boolean>;
  /** Repositories at which a look could not tell a moment ago; each with a `ttl`. */
  readonly unclear: LRUCache<string, true>;
};

/** The tag that is looked for where nothing is known to be in the repository. */
const ANY_TAG = "latest";

export class Visit {
  /** The client for the answer: it fetches nothing that strangers may not read now. */
  readonly client: UpstreamClient;
  readonly #parts: VisitParts;
  readonly #real: UpstreamClient;
  readonly #target: Target;
  readonly #where: RepositoryKey;
  /** What this visit has looked at, by name: each thing is looked at once. */
  readonly #seen = new Map<string, Promise<Digest | undefined>>();
  /** True once the upstream has shown something of the repository to a stranger in this visit. */
  #hasSeen = false;

  /** Epoch ms. */
  readonly #enteredAt: number;

  constructor(parts: VisitParts, client: UpstreamClient, target: Target) {
    this.#parts = parts;
    this.#enteredAt = parts.clock.now();
    this.#real = client;
    this.#target = target;
    this.#where = { upstream: client.upstream.name, repository: target.repository };
    this.client = this.#guarded(client);
  }

  /** Returns when the request may be answered, as far as can be told before. Throws Hidden, and the failure of the upstream to tell. */
  async enter(): Promise<void> {
    const { strangers, holds } = this.#parts;
    const target = this.#target;
    // A tag that was imported may mean something else at the upstream by now: that is looked at before it is fetched (#guarded).
    if (await this.#namesImported()) return;
    const { isPublic, isOld } = await strangers.verdict(this.#where);
    if (!isPublic) await this.#lookAround();
    else if (isOld) await this.#lookAgain();
    const named = digestIn(target);
    if (named === undefined || target.kind === "referrers") return;
    if (!(await strangers.wasGiven(this.#where, named)))
      await this.#look(evidenceOf(target) ?? { manifest: named });
    // It has to be fetched again, and may have become private meanwhile.
    else if (target.kind === "blob" && !(await holds(this.#where.upstream, named)))
      await this.#look({ blob: named });
  }

  /**
   * Returns when what was found may be given out: a document with `digest`, or a list (undefined). `storedAt` is when the upstream gave that
   * list (epoch ms), undefined when it was asked for it now. Throws as `enter`.
   */
  async leave(
    digest: Digest | undefined,
    storedAt: number | undefined,
    listed: () => readonly Digest[],
  ): Promise<void> {
    const { strangers } = this.#parts;
    if (digest !== undefined && (await this.#parts.isImported(this.#where, digest))) return;
    if (digest !== undefined) await this.#prove(digest);
    // A list that is newer than the last look may name what was added after the repository turned private.
    else if (storedAt === undefined || !(await strangers.wasPublicAt(this.#where, storedAt)))
      await this.#lookAround();
    await this.#renewVerdict();
    if (digest !== undefined) strangers.recordParts(this.#where, digest, listed);
  }

  /** What is asked for is something that was brought in, as far as this Granary knows. */
  async #namesImported(): Promise<boolean> {
    const { metadata, isImported } = this.#parts;
    const target = this.#target;
    const named = target.kind === "referrers" ? undefined : digestIn(target);
    if (named !== undefined) return await isImported(this.#where, named);
    if (target.kind !== "manifest" || !("tag" in target.reference)) return false;
    const key = { ...this.#where, tag: target.reference.tag, acceptClass: "" };
    const known = await metadata.tag(key);
    return known?.importedAt !== undefined && (await isImported(this.#where, known.digest));
  }

  /** Throws Hidden when strangers may not read the repository. */
  async #renewVerdict(): Promise<void> {
    const { strangers } = this.#parts;
    const isPublic = await strangers.mayRead(this.#where);
    if (!isPublic && !this.#hasSeen) throw new Hidden(this.#where, false);
    // A token says that strangers may read it, though nothing of the repository was seen before; or it was seen in this visit, and what the
    // visit has stored since must not be newer than the verdict.
    if (!isPublic || (await strangers.wasPublicAt(this.#where, this.#enteredAt)))
      await strangers.recordPublic(this.#where);
  }

  async #prove(digest: Digest): Promise<void> {
    const { strangers } = this.#parts;
    if (await strangers.wasGiven(this.#where, digest)) return;
    const by = evidenceOf(this.#target) ?? { manifest: digest };
    const told = await this.#look(by);
    // The tag has moved meanwhile, or means something else to strangers.
    if (told !== undefined && told !== digest) await this.#look({ manifest: digest });
    await strangers.recordGiven(this.#where, digest);
  }

  /** What was public stays readable while the upstream is down or slow, limits us, or no longer has what we look for. */
  async #lookAgain(): Promise<void> {
    const { strangers, clock, unclear } = this.#parts;
    const name = `${this.#where.upstream}\n${this.#where.repository}`;
    if (unclear.has(name)) return;
    const named = evidenceOf(this.#target);
    const by = named ?? (await this.#anyTag());
    const flight = strangers.look(this.#real, this.#where, by, named !== undefined);
    const inTime = flight.result.catch(() => {
      unclear.set(name, true, { ttl: ACCESS_RETRIES.lookAgainMs });
      return undefined;
    });
    const deadline = flight.startedAt + this.#real.upstream.policy.offlineDeadlineMs;
    await untilDeadline(inTime, deadline, clock);
    if (!(await strangers.mayRead(this.#where))) throw new Hidden(this.#where, false);
  }

  /**
   * For a list: looks at what the request names, else at any tag. That strangers were given the thing before counts for that thing, not for
   * what a list may name beside it.
   */
  async #lookAround(): Promise<void> {
    if (this.#hasSeen) return;
    const named = evidenceOf(this.#target);
    try {
      if (named !== undefined) await this.#lookAt(named, true);
    } catch (error) {
      const isList = this.#target.kind === "referrers";
      if (!isList || !(error instanceof Hidden) || !error.isAbsent) throw error;
    }
    if (!this.#hasSeen) await this.#lookAt(await this.#anyTag(), false);
  }

  async #look(by: Evidence, isNamed = true): Promise<Digest | undefined> {
    const { strangers } = this.#parts;
    try {
      return await this.#lookAt(by, isNamed);
    } catch (error) {
      // The upstream cannot tell now. What strangers were given before, and what it lists, they may still have.
      if (error instanceof Hidden || !(await strangers.isPartOfGiven(this.#where, nameIn(by)))) throw error;
      return undefined;
    }
  }

  /** Looks at each thing once in a visit. */
  async #lookAt(by: Evidence, isNamed: boolean): Promise<Digest | undefined> {
    const name = nameIn(by);
    const looking =
      this.#seen.get(name) ?? this.#parts.strangers.look(this.#real, this.#where, by, isNamed).result;
    this.#seen.set(name, looking);
    const digest = await looking;
    this.#hasSeen = true;
    if (digest !== undefined) this.#seen.set(digest, looking);
    return digest;
  }

  /** Something that stands for the repository, where the request names nothing in it. */
  async #anyTag(): Promise<Evidence> {
    return { manifest: (await this.#parts.metadata.tagsOf(this.#where))[0]?.tag ?? ANY_TAG };
  }

  #guarded(client: UpstreamClient): UpstreamClient {
    const ifShown = async <T>(reference: string, ask: () => Promise<T | undefined>) => {
      try {
        await this.#look({ manifest: reference });
      } catch (error) {
        if (error instanceof Hidden && error.isAbsent) return undefined;
        throw error;
      }
      return await ask();
    };
    return {
      ...client,
      headManifest: (ask) => ifShown(ask.reference, () => client.headManifest(ask)),
      getManifest: (ask) => ifShown(ask.reference, () => client.getManifest(ask)),
      tags: async (...asked) => {
        await this.#lookAround();
        return await client.tags(...asked);
      },
      referrers: async (...asked) => {
        await this.#lookAround();
        return await client.referrers(...asked);
      },
    };
  }
}

/** What the request names in the repository: whoever may read that may read the repository. */
function evidenceOf(target: Target): Evidence | undefined {
  switch (target.kind) {
    case "tags":
      return undefined;
    case "blob":
      return { blob: target.digest };
    case "referrers":
      return { manifest: target.digest };
    case "manifest":
      return { manifest: "tag" in target.reference ? target.reference.tag : target.reference.digest };
  }
}

function nameIn(by: Evidence): string {
  return "blob" in by ? by.blob : by.manifest;
}

function digestIn(target: Target): Digest | undefined {
  if (target.kind === "tags") return undefined;
  if (target.kind !== "manifest") return target.digest;
  return "digest" in target.reference ? target.reference.digest : undefined;
}
