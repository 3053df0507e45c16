/** Owns tag lists: the upstream's page, and the last one we saw when the upstream cannot be asked. */
import { isGranaryError, reasonOf } from "../errors.ts";
import type { Metadata } from "../metadata/metadata.ts";
import type { Clock } from "../observe/clock.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import type { TagsAnswer } from "./mirror.ts";
import { notFound } from "./not-found.ts";
import { SingleFlight } from "./single-flight.ts";
import type { TagsTarget } from "./target.ts";

type Page = Pick<TagsAnswer, "body" | "next">;

export class TagLists {
  readonly #metadata: Metadata;
  readonly #flights: SingleFlight<Page>;

  constructor(metadata: Metadata, clock: Clock) {
    this.#metadata = metadata;
    this.#flights = new SingleFlight(clock);
  }

  async get(client: UpstreamClient, target: TagsTarget): Promise<TagsAnswer> {
    try {
      const key = `${target.upstream}\n${target.repository}\n${queryOf(target)}`;
      const page = await this.#flights.run(key, () => this.#ask(client, target));
      return { ...page, outcome: "miss", warning: undefined };
    } catch (error) {
      if (isGranaryError(error, "not-found", "denied", "closed")) throw error;
      return await this.#stored(target, error);
    }
  }

  async #ask(client: UpstreamClient, target: TagsTarget): Promise<Page> {
    const { repository, n, last } = target;
    const page = await client.tags(repository, {
      ...(n !== undefined && { n }),
      ...(last !== undefined && { last }),
    });
    if (page === undefined) throw notFound(target, "tags/list");
    await this.#metadata.recordTagList(target, queryOf(target), JSON.stringify(page));
    return page;
  }

  async #stored(target: TagsTarget, error: unknown): Promise<TagsAnswer> {
    const warning = `stale: ${target.upstream} could not be asked (${reasonOf(error)})`;
    const page = await this.#metadata.tagList(target, queryOf(target));
    if (page !== undefined) return { ...(JSON.parse(page) as Page), outcome: "stale", warning };
    const tags = await this.#metadata.tagsOf(target);
    if (tags.length === 0 || target.n !== undefined || target.last !== undefined) throw error;
    return {
      body: JSON.stringify({ name: target.repository, tags }),
      next: undefined,
      outcome: "stale",
      warning,
    };
  }
}

function queryOf({ n, last }: TagsTarget): string {
  return `n=${n ?? ""}&last=${last ?? ""}`;
}
