/**
 * Owns the list of contents: repositories, or the tags in them, found by pattern and search, sorted and cut into pages. Ten thousand repositories
 * are added up piece by piece, so that nobody waits for it; what was added up a moment ago is used again for the order.
 */
import { LRUCache } from "lru-cache";
import { GranaryError } from "../../errors.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { NamePattern } from "../../routing/name-pattern.ts";
import { expiringBy, mostEntries } from "../../waiting/expiry.ts";
import { Slices } from "../../waiting/slices.ts";
import type { Keep } from "../rules/keep.ts";
import { imagesOf, NO_PLATFORM, type Share, shareOfAll } from "./content-parts.ts";
import type { CONTENT_SORTS } from "./content-sorts.ts";
import type { FoundPartials } from "./found-partials.ts";
import { namesOfPattern } from "./names-of-pattern.ts";
import { repositoryName, type StoredNames } from "./stored-names.ts";
import type { UsedBy } from "./used-by.ts";

export type ContentQuery = {
  readonly pattern?: string | undefined;
  /** Only what came from this one, whether it is configured or not. */
  readonly upstream?: string | undefined;
  /** Left out: repositories, and tags where the pattern names a tag or a digest. */
  readonly by?: "repository" | "tag" | undefined;
  readonly sort: (typeof CONTENT_SORTS)[number];
  /** The last one first: the smallest, what was used longest ago. */
  readonly reverse?: boolean | undefined;
  /** What names must contain. */
  readonly search?: string | undefined;
  readonly limit: number;
  /** The `next` of the page before. */
  readonly after?: string | undefined;
};

type ContentItem = Share & {
  readonly upstream: string;
  readonly repository: string;
  /** Of a list of tags. */
  readonly tag?: string;
  readonly digest?: Digest;
  /** Platforms whose images are here, at least in part; of a list of tags. */
  readonly platforms?: readonly string[];
  /** Of a list of repositories. */
  readonly tags?: number;
  readonly manifests?: number;
  /** Epoch ms; undefined where it is not known. */
  readonly usedAt: number | undefined;
  /** Address of the client that pulled it last, as long as addresses are kept. */
  readonly usedBy: string | undefined;
  /** Bytes that did not have to come over the internet, of the repository. */
  readonly saved: number | undefined;
  /** The keep rule that holds it. */
  readonly keptBy: string | undefined;
};

export type ContentPage = {
  readonly items: readonly ContentItem[];
  readonly next: string | undefined;
  /** The `after` of the page before this one; "" where that is the first, undefined on the first. */
  readonly previous: string | undefined;
  /** Items on the pages before. */
  readonly place: number;
  /** Of all pages. */
  readonly count: number;
};

export type ListParts = {
  readonly rows: ContentRows;
  readonly names: StoredNames;
  readonly partials: FoundPartials;
  readonly usedBy: UsedBy;
  readonly keep: Keep;
  readonly clock: Clock;
};

/** A repository, or with a digest a name in it: a tag, or what was pulled by its digest. */
type Named = RepositoryKey & {
  readonly tag?: string;
  readonly digest?: Digest;
  /** Epoch ms; of what has no tag. */
  readonly usedAt?: number | undefined;
};

/** Where an item stands in the list. */
type Place = {
  readonly value: number;
  /** Its place among equals, made once: comparisons must be cheap. */
  readonly key: string;
};

type Listed = Named & Place;

/** More are not listed at once: a search or a pattern makes it fewer. */
const MOST_LISTED = 100_000;
/** How long sums are good enough for the order of a list. The page itself is always added up anew. */
const ORDER_MS = 10_000;

export class ContentList {
  readonly #parts: ListParts;
  readonly #sums: LRUCache<string, number>;

  constructor(parts: ListParts) {
    this.#parts = parts;
    this.#sums = new LRUCache({ ...mostEntries(MOST_LISTED), ttl: ORDER_MS, ...expiringBy(parts.clock) });
  }

  /** Throws `not-found` with what comes near where a pattern matches nothing, `reference-invalid`, `route-unknown`. */
  async page(query: ContentQuery): Promise<ContentPage> {
    const { names, usedBy, partials } = this.#parts;
    const pattern = query.pattern === undefined ? undefined : await names.parse(query.pattern);
    const isByTag = query.by === "tag" || (query.by === undefined && isOfTags(pattern));
    const saved = query.sort === "saved" ? await usedBy.saved() : undefined;
    const found = await partials.find();
    const all: Listed[] = [];
    const slices = new Slices(this.#parts.clock);
    for await (const where of names.repositories(pattern)) {
      if (query.upstream !== undefined && where.upstream !== query.upstream) continue;
      const candidates = isByTag ? await this.#names(where, pattern) : await this.#repository(where, pattern);
      for (const item of candidates) {
        if (!contains(item, query.search)) continue;
        const value =
          saved?.get(repositoryName(where))?.saved ?? (await this.#value(item, query.sort, found));
        all.push({ ...item, value, key: keyOf(item) });
      }
      await slices.breathe();
      if (all.length >= MOST_LISTED) break;
    }
    const isFiltered = query.search !== undefined || query.upstream !== undefined;
    if (all.length === 0 && pattern !== undefined && !isFiltered)
      throw await names.nothing(query.pattern ?? "", pattern);
    return await this.#cut(all, query, found);
  }

  async #cut(all: Listed[], query: ContentQuery, found: Found): Promise<ContentPage> {
    const { limit, after, reverse = false } = query;
    const order = reverse ? (a: Place, b: Place) => inOrder(b, a) : inOrder;
    all.sort(order);
    const last = after === undefined || after === "" ? undefined : readCursor(after);
    const first = last === undefined ? 0 : all.findIndex((item) => order(last, item) < 0);
    const start = first < 0 ? all.length : first;
    const page = all.slice(start, start + limit);
    const items: ContentItem[] = [];
    const slices = new Slices(this.#parts.clock);
    const records = this.#parts.usedBy.latest();
    const saved = await this.#parts.usedBy.saved();
    for (const item of page) {
      const shown =
        item.digest === undefined
          ? await this.#shownRepository(item, found)
          : await this.#shownName(item, item.digest, found);
      const name = repositoryName(item);
      const rule = await this.#parts.keep.ruleFor(item, item);
      const by = records.get(name)?.client ?? undefined;
      items.push({ ...shown, usedBy: by, saved: saved.get(name)?.saved, keptBy: rule?.pattern.text });
      await slices.breathe();
    }
    const end = page.at(-1);
    const hasMore = end !== undefined && start + page.length < all.length;
    const before = all[start - limit - 1];
    const previous = start === 0 ? undefined : before === undefined ? "" : cursorOf(before);
    const next = hasMore ? cursorOf(end) : undefined;
    return { items, next, previous, place: start, count: all.length };
  }

  /** The tags, and what was pulled by its digest. */
  async #names(where: RepositoryKey, pattern: NamePattern | undefined): Promise<Named[]> {
    const names = await namesOfPattern(this.#parts.rows, where, pattern);
    return names.map(({ tag, digest, usedAt }) => {
      return { ...where, digest, ...(tag === undefined ? { usedAt } : { tag }) };
    });
  }

  /** The repository itself, where something in it matches. */
  async #repository(where: RepositoryKey, pattern: NamePattern | undefined): Promise<Named[]> {
    const needsTag = pattern?.tag !== undefined || pattern?.digest !== undefined;
    return !needsTag || (await this.#names(where, pattern)).length > 0 ? [where] : [];
  }

  async #value(item: Named, sort: ContentQuery["sort"], found: Found): Promise<number> {
    if (sort === "name") return 0;
    const key = `${sort}\n${keyOf(item)}`;
    const known = this.#sums.get(key);
    if (known !== undefined) return known;
    const value =
      item.digest === undefined
        ? await this.#valueOfRepository(item, sort, found)
        : await this.#valueOfName(item, item.digest, sort, found);
    this.#sums.set(key, value);
    return value;
  }

  /** Only what the order needs: of ten thousand repositories, all sums would take a hundred times as long as a page of them. */
  async #valueOfRepository(where: RepositoryKey, sort: ContentQuery["sort"], found: Found): Promise<number> {
    const { rows } = this.#parts;
    if (sort === "size") return (await rows.sizeOf(where)) + found.presentIn(where);
    return sort === "used" ? await rows.repositoryUsedAt(where) : 0;
  }

  async #valueOfName(item: Named, digest: Digest, sort: ContentQuery["sort"], found: Found): Promise<number> {
    if (sort === "used") return (await this.#nameUsedAt(item)) ?? 0;
    const { size, partial } = await this.#shownName(item, digest, found);
    return sort === "size" ? size + partial : 0;
  }

  async #nameUsedAt({ upstream, repository, tag, usedAt }: Named): Promise<number | undefined> {
    return tag === undefined ? usedAt : await this.#parts.rows.tagUsedAt({ upstream, repository }, tag);
  }

  async #shownRepository(where: RepositoryKey, found: Found) {
    const { size, wanted, tags, manifests, usedAt } = await this.#parts.rows.sumsOf(where);
    const partial = found.presentIn(where);
    const sums = { size, partial, wanted: Math.max(wanted, size + partial), tags, manifests };
    return { upstream: where.upstream, repository: where.repository, ...sums, usedAt: usedAt || undefined };
  }

  async #shownName(name: Named, digest: Digest, found: Found) {
    const { upstream, repository, tag } = name;
    const { rows } = this.#parts;
    const images = await imagesOf(rows, { upstream }, digest, found);
    const here = images.filter(({ size, partial }) => size + partial > 0);
    const platforms = here.flatMap(({ platform = NO_PLATFORM }) =>
      platform === NO_PLATFORM ? [] : platform,
    );
    const usedAt = await this.#nameUsedAt(name);
    const named = { upstream, repository, ...(tag !== undefined && { tag }), digest };
    return { ...named, ...shareOfAll(images.filter(({ isStored }) => isStored)), platforms, usedAt };
  }
}

type Found = Awaited<ReturnType<FoundPartials["find"]>>;

function isOfTags(pattern: NamePattern | undefined): boolean {
  return pattern?.tag !== undefined || pattern?.digest !== undefined;
}

function contains(item: Named, search: string | undefined): boolean {
  if (search === undefined) return true;
  return `${repositoryName(item)}${endOf(item)}`.toLowerCase().includes(search.toLowerCase());
}

/** Highest value first, then by name: each item has one place. */
function inOrder(a: Place, b: Place): number {
  if (a.value !== b.value) return b.value - a.value;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

function keyOf(item: Named): string {
  return `${item.upstream}\n${item.repository}\n${endOf(item)}`;
}

/** ":3.22", or of what has no tag "@sha256:..."; "" of a repository. */
function endOf({ tag, digest }: Named): string {
  if (tag !== undefined) return `:${tag}`;
  return digest === undefined ? "" : `@${digest}`;
}

function cursorOf({ value, key }: Listed): string {
  return Buffer.from(JSON.stringify([value, key])).toString("base64url");
}

function readCursor(text: string): Place {
  try {
    const [value, key]: unknown[] = JSON.parse(Buffer.from(text, "base64url").toString());
    if (typeof value === "number" && typeof key === "string") return { value, key };
  } catch {
    // Answered below, as for any other text that is none of ours.
  }
  throw new GranaryError(
    "config-invalid",
    "after: expected the `next` of the page before, as it was answered.",
  );
}
