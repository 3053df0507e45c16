/**
 * Owns tag lists: the upstream's page for a query, which only the upstream interprets, and the last one that we saw when it cannot be
 * asked. What is stored is limited by what a repository has, not by the queries that clients invent.
 */
import { isGranaryError, reasonOf } from "../../errors.ts";
import type { ListKey, Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { TagsTarget } from "../../routing/target.ts";
import type { BodyRoom } from "../../upstream/network/body-room.ts";
import { hearAbsence } from "../../upstream/registry/absence.ts";
import type { TagsPage, UpstreamClient } from "../../upstream/upstream-client.ts";
import { untilDeadline } from "../../waiting/deadline.ts";
import { SingleFlight } from "../../waiting/single-flight.ts";
import { Disappearances } from "../absence/disappearances.ts";
import { NegativeAnswers } from "../absence/negative-answers.ts";
import { notFound } from "../absence/not-found.ts";
import type { TagsAnswer } from "../mirror.ts";
import { type StoredList, StoredLists } from "./stored-lists.ts";
import { pageOf, parseTagQuery, tagListOf } from "./tag-page.ts";

/** Pages of longer queries are not stored: such queries carry tokens of the registry that are valid for minutes. */
const MOST_STORED_QUERY = 512;

export class TagLists {
  readonly #metadata: Metadata;
  readonly #clock: Clock;
  readonly #room: BodyRoom;
  readonly #stored: StoredLists;
  readonly #flights: SingleFlight<TagsPage>;
  readonly #missing: Disappearances;
  readonly #absent: NegativeAnswers;

  constructor(metadata: Metadata, clock: Clock, room: BodyRoom) {
    this.#metadata = metadata;
    this.#clock = clock;
    this.#room = room;
    this.#stored = new StoredLists(metadata, clock, room);
    this.#missing = new Disappearances(clock);
    this.#absent = new NegativeAnswers(clock);
    this.#flights = new SingleFlight(clock);
  }

  async get(client: UpstreamClient, target: TagsTarget): Promise<TagsAnswer> {
    this.#absent.check(nameOf(target));
    const flight = this.#flights.join(nameOf(target), () => this.#ask(client, target));
    const { offlineDeadlineMs } = client.upstream.policy;
    try {
      const page = await untilDeadline(flight.result, flight.startedAt + offlineDeadlineMs, this.#clock);
      if (page !== undefined) return this.#answer(page);
      const late = `could not be asked (no answer within ${offlineDeadlineMs / 1000} s)`;
      const stored = await this.#lastSeen(target, late);
      return stored ?? this.#answer(await flight.result);
    } catch (error) {
      if (isGranaryError(error, "closed")) throw error;
      const stored = await this.#instead(target, error);
      if (stored !== undefined) return stored;
      const isHidden = isGranaryError(error, "not-found") && error.facts.upstreamStatus !== undefined;
      const told = isHidden ? notFound(target, "tags/list") : error;
      if (!isGranaryError(told, "not-found")) throw told;
      throw this.#absent.remember(nameOf(target), client.upstream.policy.negativeLifetimeMs, told);
    }
  }

  #answer({ body, next }: TagsPage): TagsAnswer {
    return {
      body,
      next,
      release: this.#room.occupy(body),
      outcome: "miss",
      warning: undefined,
      checkedAt: this.#clock.now(),
    };
  }

  async #ask(client: UpstreamClient, target: TagsTarget): Promise<TagsPage> {
    const absence = hearAbsence();
    const page = await client.tags(target.repository, target.query, this.#room, absence.onAbsent);
    const name = nameOf(target);
    if (page === undefined) {
      const isBelieved = this.#missing.saidMissing(name, client.upstream.policy.negativeLifetimeMs) === 0;
      // The repository has no list at all, so what was stored for any query of it goes.
      if (isBelieved)
        for (const query of new Set([target.query, ""])) await this.#stored.forget(keyOf(target, query));
      throw notFound(target, "tags/list", absence.told);
    }
    this.#missing.seen(name);
    await this.#store(target, page);
    return this.#stored.briefly(page);
  }

  /** Queries that are answered with the whole list share one entry: clients once invented 655 MB of different ones. */
  async #store(target: TagsTarget, { body, next, count }: TagsPage): Promise<void> {
    const query = parseTagQuery(target.query);
    const isFromStart = query !== undefined && query.last === undefined;
    const isWhole = isFromStart && next === undefined && (query.n === undefined || count !== query.n);
    const name = isWhole ? "" : target.query;
    if (name.length <= MOST_STORED_QUERY) await this.#stored.record(keyOf(target, name), body, next);
  }

  async #instead(target: TagsTarget, error: unknown): Promise<TagsAnswer | undefined> {
    const isMissing = isGranaryError(error, "not-found") && error.facts.upstreamStatus === undefined;
    const why = isMissing ? "says that there is no such list" : `could not be asked (${reasonOf(error)})`;
    const stored = await this.#lastSeen(target, why);
    if (stored !== undefined || isMissing) return stored;
    const query = parseTagQuery(target.query);
    const tags = query === undefined ? [] : await this.#metadata.tagsOf(target);
    if (query === undefined || tags.length === 0) return undefined;
    const list = tagListOf(
      target.repository,
      tags.map(({ tag }) => tag),
    );
    const page = await pageOf(list, target.repository, query);
    const checkedAt = Math.max(...tags.map((each) => each.checkedAt));
    return { ...page, release: this.#room.occupy(page.body), checkedAt, ...staleFor(target, why) };
  }

  /** The page that was seen last, else the page of the whole list that was seen last. */
  async #lastSeen(target: TagsTarget, why: string): Promise<TagsAnswer | undefined> {
    const own = await this.#stored.find(keyOf(target, target.query));
    if (own !== undefined) {
      const { detail: next, checkedAt } = own;
      return { ...(await own.open()), next, checkedAt, ...staleFor(target, why) };
    }
    const whole = target.query === "" ? undefined : await this.#stored.find(keyOf(target, ""));
    const page = whole && (await this.#pageOf(target, whole));
    return page && { ...page, ...staleFor(target, why) };
  }

  async #pageOf({ repository, query }: TagsTarget, whole: StoredList) {
    const asked = whole.detail === undefined ? parseTagQuery(query) : undefined;
    if (asked === undefined) return undefined;
    const { body, release } = await whole.open();
    const page = await pageOf(body, repository, asked).finally(release);
    return { ...page, release: this.#room.occupy(page.body), checkedAt: whole.checkedAt };
  }
}

function staleFor({ upstream }: TagsTarget, why: string) {
  return { outcome: "stale", warning: `stale: ${upstream} ${why}` } as const;
}

function keyOf({ upstream, repository }: TagsTarget, name: string): ListKey {
  return { upstream, repository, kind: "tags", name };
}

function nameOf({ upstream, repository, query }: TagsTarget): string {
  return `${upstream}\n${repository}\n${query}`;
}
