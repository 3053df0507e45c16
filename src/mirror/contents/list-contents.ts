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
import { matches, type NamePattern } from "../../routing/name-pattern.ts";
import { expiringBy } from "../../waiting/expiry.ts";
import { Slices } from "../../waiting/slices.ts";
import type { Keep } from "../rules/keep.ts";
import { imagesOf, type Share, shareOfAll } from "./content-parts.ts";
import type { FoundPartials } from "./found-partials.ts";
import { repositoryName, type StoredNames } from "./stored-names.ts";
import type { UsedBy } from "./used-by.ts";

export const CONTENT_SORTS = ["used", "size", "saved", "name"] as const;

export type ContentQuery = {
  readonly pattern?: string | undefined;
  /** Left out: repositories, and tags where the pattern names a tag or a digest. */
  readonly by?: "repository" | "tag" | undefined;
  readonly sort: (typeof CONTENT_SORTS)[number];
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

type Named = RepositoryKey & { readonly tag?: string; readonly digest?: Digest };

type Listed = Named & {
  readonly value: number;
  /** Its place among equals, made once: comparisons must be cheap. */
  readonly key: string;
};

/** More are not listed at once: a search or a pattern makes it fewer. */
const MOST_LISTED = 100_000;
const MOST_TAGS = 20_000;
/** How long sums are good enough for the order of a list. The page itself is always added up anew. */
const ORDER_MS = 10_000;

export class ContentList {
  readonly #parts: ListParts;
  readonly #sums: LRUCache<string, number>;

  constructor(parts: ListParts) {
    this.#parts = parts;
    this.#sums = new LRUCache({ max: MOST_LISTED, ttl: ORDER_MS, ...expiringBy(parts.clock) });
  }

  /** Throws `not-found` with what comes near where a pattern matches nothing, `reference-invalid`, `route-unknown`. */
  async page(query: ContentQuery): Promise<ContentPage> {
    const { names, usedBy, partials } = this.#parts;
    const pattern = query.pattern === undefined ? undefined : await names.parse(query.pattern);
    const isByTag = query.by === "tag" || (query.by === undefined && isOfTags(pattern));
    const saved = query.sort === "saved" ? usedBy.saved() : undefined;
    const found = await partials.find();
    const all: Listed[] = [];
    const slices = new Slices(this.#parts.clock);
    for await (const where of names.repositories(pattern)) {
      const candidates = isByTag ? await this.#tags(where, pattern) : await this.#repository(where, pattern);
      for (const item of candidates) {
        if (!contains(item, query.search)) continue;
        const value =
          saved?.get(repositoryName(where))?.saved ?? (await this.#value(item, query.sort, found));
        all.push({ ...item, value, key: keyOf(item) });
      }
      await slices.breathe();
      if (all.length >= MOST_LISTED) break;
    }
    if (all.length === 0 && pattern !== undefined && query.search === undefined)
      throw await names.nothing(query.pattern ?? "", pattern);
    return await this.#cut(all, query, found);
  }

  async #cut(all: Listed[], { limit, after }: ContentQuery, found: Found): Promise<ContentPage> {
    all.sort(inOrder);
    const last = after === undefined ? undefined : readCursor(after);
    const start = last === undefined ? 0 : all.findIndex((item) => inOrder(last, item) < 0);
    const page = start < 0 ? [] : all.slice(start, start + limit);
    const items: ContentItem[] = [];
    const slices = new Slices(this.#parts.clock);
    const records = this.#parts.usedBy.latest();
    const saved = this.#parts.usedBy.saved();
    for (const item of page) {
      const shown =
        item.tag === undefined ? await this.#shownRepository(item, found) : await this.#shownTag(item, found);
      const name = repositoryName(item);
      const rule = await this.#parts.keep.ruleFor(item, item);
      const by = records.get(name)?.client ?? undefined;
      items.push({ ...shown, usedBy: by, saved: saved.get(name)?.saved, keptBy: rule?.pattern.text });
      await slices.breathe();
    }
    const end = page.at(-1);
    const hasMore = end !== undefined && start + page.length < all.length;
    return { items, next: hasMore ? cursorOf(end) : undefined, count: all.length };
  }

  /** One for each tag, whatever kinds of clients it was stored for. */
  async #tags(where: RepositoryKey, pattern: NamePattern | undefined): Promise<Named[]> {
    const rows = await this.#parts.rows.tagsIn(where, MOST_TAGS);
    const tags = new Map(rows.map(({ tag, digest }) => [tag, { ...where, tag, digest }]));
    return [...tags.values()].filter((tag) => pattern === undefined || matches(pattern, tag));
  }

  /** The repository itself, where something in it matches. */
  async #repository(where: RepositoryKey, pattern: NamePattern | undefined): Promise<Named[]> {
    const needsTag = pattern?.tag !== undefined || pattern?.digest !== undefined;
    return !needsTag || (await this.#tags(where, pattern)).length > 0 ? [where] : [];
  }

  async #value(item: Named, sort: ContentQuery["sort"], found: Found): Promise<number> {
    if (sort === "name") return 0;
    const key = `${sort}\n${repositoryName(item)}\n${item.tag ?? ""}`;
    const known = this.#sums.get(key);
    if (known !== undefined) return known;
    const shown =
      item.tag === undefined ? await this.#shownRepository(item, found) : await this.#shownTag(item, found);
    const value = sort === "size" ? shown.size + shown.partial : sort === "used" ? (shown.usedAt ?? 0) : 0;
    this.#sums.set(key, value);
    return value;
  }

  async #shownRepository(where: RepositoryKey, found: Found) {
    const { size, wanted, tags, manifests, usedAt } = await this.#parts.rows.sumsOf(where);
    const partial = found.presentIn(where);
    const sums = { size, partial, wanted: Math.max(wanted, size + partial), tags, manifests };
    return { upstream: where.upstream, repository: where.repository, ...sums, usedAt: usedAt || undefined };
  }

  async #shownTag({ upstream, repository, tag = "", digest }: Named, found: Found) {
    const { rows } = this.#parts;
    const images = digest === undefined ? [] : await imagesOf(rows, { upstream }, digest, found);
    const here = images.filter(({ size, partial }) => size + partial > 0);
    const platforms = here.flatMap(({ platform }) => platform ?? []);
    const usedAt = await rows.tagUsedAt({ upstream, repository }, tag);
    const named = { upstream, repository, tag, ...(digest !== undefined && { digest }) };
    return { ...named, ...shareOfAll(images.filter(({ isStored }) => isStored)), platforms, usedAt };
  }
}

type Found = Awaited<ReturnType<FoundPartials["find"]>>;

function isOfTags(pattern: NamePattern | undefined): boolean {
  return pattern?.tag !== undefined || pattern?.digest !== undefined;
}

function contains(item: Named, search: string | undefined): boolean {
  if (search === undefined) return true;
  const tag = item.tag === undefined ? "" : `:${item.tag}`;
  return `${repositoryName(item)}${tag}`.toLowerCase().includes(search.toLowerCase());
}

/** Highest value first, then by name: each item has one place. */
function inOrder(a: Listed, b: Listed): number {
  if (a.value !== b.value) return b.value - a.value;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

function keyOf(item: Named): string {
  return `${item.upstream}\n${item.repository}\n${item.tag ?? ""}`;
}

function cursorOf({ value, upstream, repository, tag }: Listed): string {
  return Buffer.from(JSON.stringify([value, upstream, repository, tag])).toString("base64url");
}

function readCursor(text: string): Listed {
  try {
    const [value, upstream, repository, tag]: unknown[] = JSON.parse(
      Buffer.from(text, "base64url").toString(),
    );
    if (typeof value === "number" && typeof upstream === "string" && typeof repository === "string") {
      const named = { upstream, repository, ...(typeof tag === "string" && { tag }) };
      return { ...named, value, key: keyOf(named) };
    }
  } catch {
    // Answered below, as for any other text that is none of ours.
  }
  throw new GranaryError(
    "config-invalid",
    "after: expected the `next` of the page before, as it was answered.",
  );
}
