/** Owns tag lists: the upstream's page, and the last one we saw when the upstream cannot be asked. */
import { isGranaryError, reasonOf } from "../errors.ts";
import type { Metadata } from "../metadata/metadata.ts";
import type { Clock } from "../observe/clock.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import { Disappearances } from "./disappearances.ts";
import type { TagsAnswer } from "./mirror.ts";
import { notFound } from "./not-found.ts";
import { SingleFlight } from "./single-flight.ts";
import type { TagsTarget } from "./target.ts";

type Page = Pick<TagsAnswer, "body" | "next">;

export class TagLists {
  readonly #metadata: Metadata;
  readonly #flights: SingleFlight<Page>;
  readonly #missing: Disappearances;

  constructor(metadata: Metadata, clock: Clock) {
    this.#metadata = metadata;
    this.#missing = new Disappearances(clock);
    this.#flights = new SingleFlight(clock);
  }

  async get(client: UpstreamClient, target: TagsTarget): Promise<TagsAnswer> {
    try {
      const page = await this.#flights.run(keyOf(target), () => this.#ask(client, target));
      return { ...page, outcome: "miss", warning: undefined };
    } catch (error) {
      if (isGranaryError(error, "closed")) throw error;
      const stored = await this.#stored(target, error);
      if (stored !== undefined) return stored;
      throw isGranaryError(error, "not-found") ? notFound(target, "tags/list") : error;
    }
  }

  async #ask(client: UpstreamClient, target: TagsTarget): Promise<Page> {
    const { repository, n, last } = target;
    const page = await client.tags(repository, {
      ...(n !== undefined && { n }),
      ...(last !== undefined && { last }),
    });
    const key = keyOf(target);
    if (page === undefined) {
      const isBelieved = this.#missing.saidMissing(key, client.upstream.policy.negativeLifetimeMs) === 0;
      if (isBelieved) await this.#metadata.forgetTagList(target, queryOf(target));
      throw notFound(target, "tags/list");
    }
    this.#missing.seen(key);
    await this.#metadata.recordTagList(target, queryOf(target), JSON.stringify(page));
    return page;
  }

  /** The last list that was seen; else, while the upstream cannot be asked, the tags that we hold. */
  async #stored(target: TagsTarget, error: unknown): Promise<TagsAnswer | undefined> {
    const isMissing = isGranaryError(error, "not-found") && error.facts.upstreamStatus === undefined;
    const why = isMissing ? "says that there is no such list" : `could not be asked (${reasonOf(error)})`;
    const warning = `stale: ${target.upstream} ${why}`;
    const page = await this.#metadata.tagList(target, queryOf(target));
    if (page !== undefined) return { ...(JSON.parse(page) as Page), outcome: "stale", warning };
    if (isMissing) return undefined;
    const tags = await this.#metadata.tagsOf(target);
    if (tags.length === 0 || target.n !== undefined || target.last !== undefined) return undefined;
    return {
      body: JSON.stringify({ name: target.repository, tags }),
      next: undefined,
      outcome: "stale",
      warning,
    };
  }
}

function keyOf(target: TagsTarget): string {
  return `${target.upstream}\n${target.repository}\n${queryOf(target)}`;
}

function queryOf({ n, last }: TagsTarget): string {
  return `n=${n ?? ""}&last=${last ?? ""}`;
}
