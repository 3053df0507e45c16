/**
 * Owns one request of somebody who has nothing of ours, to an upstream that gives us more than it gives everybody: before anything is fetched
 * with what only we have, and before anything is given out that no stranger was seen to be given, the upstream is asked as a stranger.
 */
import type { LRUCache } from "lru-cache";
import type { Metadata, RepositoryKey } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Target } from "../../routing/target.ts";
import type { UpstreamClient } from "../../upstream/upstream-client.ts";
import { untilDeadline } from "../../waiting/deadline.ts";
import { type Evidence, Hidden, type Strangers } from "./strangers.ts";

export type VisitParts = {
  readonly metadata: Metadata;
  readonly clock: Clock;
  readonly strangers: Strangers;
  /** The blob's bytes are here, or on their way from this upstream. */
  readonly holds: (upstream: string, digest: Digest) => Promise<boolean>;
  /** Until when a look that could not tell is not repeated, by repository; of the clock's `elapsed`. */
  readonly untold: LRUCache<string, number>;
};

/** What a repository is looked for with when nothing names anything in it. */
const ANY_TAG = "latest";
/** How long a look that could not tell is not repeated for a repository that is known to be public. */
const RECHECK_MS = 10_000;

export class Visit {
  /** To answer with: fetches nothing that strangers may not read now. */
  readonly client: UpstreamClient;
  readonly #parts: VisitParts;
  readonly #real: UpstreamClient;
  readonly #target: Target;
  readonly #where: RepositoryKey;
  /** What was looked at in this visit, by name. */
  readonly #seen = new Map<string, Promise<Digest | undefined>>();
  #hasSeen = false;

  constructor(parts: VisitParts, client: UpstreamClient, target: Target) {
    this.#parts = parts;
    this.#real = client;
    this.#target = target;
    this.#where = { upstream: client.upstream.name, repository: target.repository };
    this.client = this.#guarded(client);
  }

  /** Returns when there is a reason to go on. Throws Hidden, and what keeps it from being told. */
  async enter(): Promise<void> {
    const { strangers, holds } = this.#parts;
    const target = this.#target;
    const { isPublic, isOld } = await strangers.verdict(this.#where);
    if (!isPublic) await this.#lookAround();
    else if (isOld) await this.#lookAgain();
    const named = digestIn(target);
    if (named === undefined || target.kind === "referrers") return;
    if (!(await strangers.wasGiven(this.#where, named)))
      await this.#look(evidenceOf(target) ?? { manifest: named });
    // What has to be fetched again may be private by now.
    else if (target.kind === "blob" && !(await holds(this.#where.upstream, named)))
      await this.#look({ blob: named });
  }

  /**
   * Returns when what was found may be given out: a document with `digest`, or a list (undefined) that was asked for now unless it `isStored`.
   * Throws as `enter`.
   */
  async leave(digest: Digest | undefined, isStored: boolean, listed: () => readonly Digest[]): Promise<void> {
    const { strangers } = this.#parts;
    if (digest !== undefined) await this.#prove(digest);
    else if (!isStored) await this.#lookAround();
    if (!(await strangers.mayRead(this.#where))) {
      // A token's word opens a repository of which nothing had been seen before.
      if (!this.#hasSeen) throw new Hidden(this.#where, false);
      await strangers.recordPublic(this.#where);
    }
    if (digest !== undefined) strangers.recordParts(this.#where, digest, listed);
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

  /** What was public stays reachable while the upstream is down or slow, limits us, or lost what it is looked for with. */
  async #lookAgain(): Promise<void> {
    const { strangers, clock, untold } = this.#parts;
    const name = `${this.#where.upstream}\n${this.#where.repository}`;
    if ((untold.get(name) ?? 0) > clock.elapsed()) return;
    const named = evidenceOf(this.#target);
    const by = named ?? (await this.#anyTag());
    const flight = strangers.look(this.#real, this.#where, by, named !== undefined);
    const inTime = flight.result.catch(() => {
      untold.set(name, clock.elapsed() + RECHECK_MS);
      return undefined;
    });
    const deadline = flight.startedAt + this.#real.upstream.policy.offlineDeadlineMs;
    await untilDeadline(inTime, deadline, clock);
    if (!(await strangers.mayRead(this.#where))) throw new Hidden(this.#where, false);
  }

  /** For a list: at what the request names, else at any tag. */
  async #lookAround(): Promise<void> {
    if (this.#hasSeen) return;
    const named = evidenceOf(this.#target);
    try {
      if (named !== undefined) await this.#look(named);
    } catch (error) {
      const isList = this.#target.kind === "referrers";
      if (!isList || !(error instanceof Hidden) || !error.isAbsent) throw error;
    }
    if (!this.#hasSeen) await this.#look(await this.#anyTag(), false);
  }

  /** Once for each thing in one visit. */
  async #look(by: Evidence, isNamed = true): Promise<Digest | undefined> {
    const name = "blob" in by ? by.blob : by.manifest;
    const { strangers } = this.#parts;
    const looking = this.#seen.get(name) ?? strangers.look(this.#real, this.#where, by, isNamed).result;
    this.#seen.set(name, looking);
    const digest = await looking.catch(async (error: unknown) => {
      // Whether it may still be read cannot be told now: what was known before holds for what belongs to it.
      if (error instanceof Hidden || !(await strangers.isPartOfGiven(this.#where, name))) throw error;
      return undefined;
    });
    this.#hasSeen = true;
    if (digest !== undefined) this.#seen.set(digest, looking);
    return digest;
  }

  /** Something that stands for the repository, where the request names nothing in it. */
  async #anyTag(): Promise<Evidence> {
    return { manifest: (await this.#parts.metadata.tagsOf(this.#where))[0] ?? ANY_TAG };
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

/** What of the repository the request names: whoever may read that may read its repository. */
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

function digestIn(target: Target): Digest | undefined {
  if (target.kind === "tags") return undefined;
  if (target.kind !== "manifest") return target.digest;
  return "digest" in target.reference ? target.reference.digest : undefined;
}
