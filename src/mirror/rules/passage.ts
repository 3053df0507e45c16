/**
 * Owns which names may pass: the rules that allow and deny, and what they mean for a tag, a digest and a list. `deny` beats `allow`; where
 * anything is allowed of an upstream, nothing else of it passes. A digest passes by a name of its own, or as part of what passed by one. It
 * asks no upstream, and without rules it costs a request nothing.
 */
import { LRUCache } from "lru-cache";
import { GranaryError } from "../../errors.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { matches } from "../../routing/name-pattern.ts";
import type { Target } from "../../routing/target.ts";
import { expiringBy, mostEntries } from "../../waiting/expiry.ts";
import { Slices } from "../../waiting/slices.ts";
import {
  because,
  deniesTags,
  isWholeRepository,
  type Local,
  localOf,
  NO_RULES,
  type PassageRule,
  refusalOfName,
  refusalOfRepository,
  whereOf,
  withoutDigests,
} from "./local-rules.ts";

export type PassageParts = {
  readonly clock: Clock;
  /** The tags of a repository that are known, each with what it stands for. */
  readonly tagsIn: (
    where: RepositoryKey,
  ) => Promise<readonly { readonly tag: string; readonly digest: Digest }[]>;
  /** What a stored manifest lists; nothing where it is not stored, or no manifest. */
  readonly listedIn: (digest: Digest) => Promise<readonly Digest[]>;
};

/** A name by which content was come to: a tag, or the digest of the document that it is part of. */
type Way = { readonly tag: string } | { readonly digest: Digest };

const REMEMBERED_REPOSITORIES = 10_000;
const REMEMBERED_WAYS = 50_000;
/** Names by which one digest was come to; further ones are rare. */
const MOST_WAYS = 16;
/** Of what refers to one digest, so many may be asked for; real ones have some dozens. */
const MOST_ATTACHED = 2_000;
/** How long it is believed that the stored documents of a repository tell no further ways. */
const SEARCHED_MS = 5_000;
/** Indexes lie in indexes, but not deeper than this in anything that a client can use. */
const MOST_DEPTH = 3;

export class Passage {
  readonly #parts: PassageParts;
  #rules: readonly PassageRule[] = [];
  readonly #local = new LRUCache<string, Local>(mostEntries(REMEMBERED_REPOSITORIES));
  /** By repository and digest: the names through which it was given out. */
  readonly #ways = new LRUCache<string, readonly Way[]>(mostEntries(REMEMBERED_WAYS));
  readonly #searched: LRUCache<string, Promise<void>>;

  constructor(parts: PassageParts) {
    this.#parts = parts;
    this.#searched = new LRUCache({
      ...mostEntries(REMEMBERED_REPOSITORIES),
      ttl: SEARCHED_MS,
      ...expiringBy(parts.clock),
    });
  }

  /** All rules from now on. */
  use(rules: readonly PassageRule[]): void {
    this.#rules = rules;
    this.#local.clear();
    this.#searched.clear();
  }

  /** False: `check` and `leave` need not be called. */
  get hasRules(): boolean {
    return this.#rules.length > 0;
  }

  /** Throws `denied` where what `target` names may not pass, as far as that can be told without asking the upstream. */
  async check(target: Target): Promise<void> {
    if (this.#rules.length === 0) return;
    const local = this.#localOf(target);
    if (local === NO_RULES) return;
    const refusal = await this.#refusalOf(local, target);
    if (refusal !== undefined) throw denied(target, refusal);
  }

  /**
   * The same when it is known what the manifest `target` is: throws `denied`, or remembers that `digest` and all that it lists may be asked
   * for by those who got it.
   */
  leave(target: Target, digest: Digest, listed: readonly Digest[]): void {
    if (this.#rules.length === 0 || target.kind !== "manifest") return;
    const local = this.#localOf(target);
    if (local === NO_RULES) return;
    const { reference } = target;
    const tag = "tag" in reference ? reference.tag : undefined;
    if (tag !== undefined) {
      const refusal = refusalOfName(local, { ...whereOf(target), tag, digest });
      if (refusal !== undefined) throw denied(target, refusal);
    }
    const ways = tag === undefined ? [...this.#waysTo(target, digest), { digest }] : [{ tag }];
    for (const each of [digest, ...listed]) this.#remember(target, each, ways);
  }

  /** True where a rule speaks of this repository: `attach` need not be called otherwise. */
  isConcerned(where: RepositoryKey): boolean {
    return this.#rules.length > 0 && this.#localOf(where) !== NO_RULES;
  }

  /** `referring` are listed as what refers to `digest`, such as its signatures: they may be asked for by those who may have that. */
  attach(where: RepositoryKey, digest: Digest, referring: readonly Digest[]): void {
    const known = this.#waysTo(where, digest);
    const ways = known.length === 0 ? [{ digest }] : known;
    for (const each of referring.slice(0, MOST_ATTACHED)) this.#remember(where, each, ways);
  }

  /** Which of the tags of a repository may pass; undefined where all of them may. */
  tagFilter(where: RepositoryKey): ((tag: string) => boolean) | undefined {
    if (this.#rules.length === 0) return undefined;
    const local = this.#localOf(where);
    const speaksOfTags = [...local.denied, ...local.allowed].some(({ pattern }) => pattern.tag !== undefined);
    if (!speaksOfTags) return undefined;
    return (tag) => refusalOfName(withoutDigests(local), { ...whereOf(where), tag }) === undefined;
  }

  async #refusalOf(local: Local, target: Target): Promise<string | undefined> {
    const where = whereOf(target);
    const isWhole = target.kind === "tags" || local.denied.some((rule) => isWholeRepository(rule.pattern));
    if (isWhole) return refusalOfRepository(local, where);
    if (target.kind === "manifest" && "tag" in target.reference) {
      // What a tag stands for is known only when it was asked for.
      return refusalOfName(withoutDigests(local), { ...where, tag: target.reference.tag });
    }
    const digest = digestOf(target);
    return digest === undefined ? undefined : await this.#refusalOfDigest(local, where, digest);
  }

  async #refusalOfDigest(local: Local, where: RepositoryKey, digest: Digest): Promise<string | undefined> {
    const own = local.denied.find(({ pattern }) => matches(pattern, { ...where, digest }));
    if (own !== undefined) return because(own);
    const isAllowed =
      !local.isListed || local.allowed.some(({ pattern }) => matches(pattern, { ...where, digest }));
    const asksForTags = deniesTags(local);
    if (isAllowed && !asksForTags) return undefined;
    if (!isAllowed && local.allowed.length === 0) return refusalOfRepository(local, where);
    const ways = await this.#allWaysTo(where, digest, asksForTags);
    const refusals = ways.map((way) => this.#refusalOfWay(local, where, way));
    if (refusals.includes(undefined)) return undefined;
    if (isAllowed) return refusals[0];
    return refusals[0] ?? "it is part of nothing that is allowed to pass and was asked for here";
  }

  /** A document that clients came to by its digest is no way around its tags: where all of those are denied, it is. */
  #refusalOfWay(local: Local, where: RepositoryKey, way: Way): string | undefined {
    const refusal = refusalOfName(local, { ...where, ...way });
    if (refusal !== undefined || "tag" in way || !deniesTags(local)) return refusal;
    const tags = this.#waysTo(where, way.digest).filter((other) => "tag" in other);
    const refusals = tags.map((tag) => refusalOfName({ ...local, isListed: false }, { ...where, ...tag }));
    return refusals.includes(undefined) ? undefined : refusals[0];
  }

  async #allWaysTo(where: RepositoryKey, digest: Digest, needsTags: boolean): Promise<readonly Way[]> {
    const known = this.#waysTo(where, digest);
    if (needsTags ? known.some((way) => "tag" in way) : known.length > 0) return known;
    await this.#search(where);
    return this.#waysTo(where, digest);
  }

  /** Who comes while it runs waits for it too: until then nothing is known that speaks against a digest. */
  async #search(where: RepositoryKey): Promise<void> {
    const key = keyOf(where, "");
    const begun = this.#searched.get(key);
    if (begun !== undefined) return await begun;
    const search = this.#searchStored(where);
    this.#searched.set(key, search);
    search.catch(() => this.#searched.delete(key));
    await search;
  }

  /** After a restart: what is stored tells which tag leads where. */
  async #searchStored(where: RepositoryKey): Promise<void> {
    const slices = new Slices(this.#parts.clock);
    for (const { tag, digest } of await this.#parts.tagsIn(where)) {
      await this.#follow(where, digest, [{ tag }], 0);
      await slices.breathe();
    }
    for (const { pattern } of this.#localOf(where).allowed) {
      const { digest } = pattern;
      if (digest !== undefined && isDigest(digest)) await this.#follow(where, digest, [{ digest }], 0);
    }
  }

  async #follow(where: RepositoryKey, digest: Digest, ways: readonly Way[], depth: number): Promise<void> {
    this.#remember(where, digest, ways);
    if (depth === MOST_DEPTH) return;
    for (const each of await this.#parts.listedIn(digest)) await this.#follow(where, each, ways, depth + 1);
  }

  #waysTo(where: RepositoryKey, digest: Digest): readonly Way[] {
    return this.#ways.get(keyOf(where, digest)) ?? [];
  }

  #remember(where: RepositoryKey, digest: Digest, ways: readonly Way[]): void {
    const key = keyOf(where, digest);
    const known = this.#ways.get(key) ?? [];
    const added = ways.filter((way) => !known.some((other) => isSame(way, other)));
    if (added.length > 0) this.#ways.set(key, [...added, ...known].slice(0, MOST_WAYS));
  }

  #localOf(where: RepositoryKey): Local {
    const key = keyOf(where, "");
    const known = this.#local.get(key);
    if (known !== undefined) return known;
    const found = localOf(this.#rules, whereOf(where));
    this.#local.set(key, found);
    return found;
  }
}

function denied(target: Target, reason: string): GranaryError {
  const { upstream, repository } = target;
  const tag = target.kind === "manifest" && "tag" in target.reference ? `:${target.reference.tag}` : "";
  const digest = digestOf(target);
  const name = `${upstream}/${repository}${tag}${digest === undefined ? "" : `@${digest}`}`;
  return new GranaryError("denied", `${name} may not pass this mirror: ${reason}.`, { target: name });
}

function digestOf(target: Target): Digest | undefined {
  if (target.kind === "tags") return undefined;
  if (target.kind !== "manifest") return target.digest;
  return "digest" in target.reference ? target.reference.digest : undefined;
}

function isSame(one: Way, other: Way): boolean {
  return "tag" in one
    ? "tag" in other && one.tag === other.tag
    : "digest" in other && one.digest === other.digest;
}

function keyOf({ upstream, repository }: RepositoryKey, digest: string): string {
  return `${upstream}\n${repository}\n${digest}`;
}
