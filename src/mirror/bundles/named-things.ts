/**
 * Owns which names patterns stand for in an export: those that are stored, and for a pattern that names one thing, that thing, stored or not.
 * It fetches nothing.
 */
import { setImmediate } from "node:timers/promises";
import { GranaryError } from "../../errors.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { DEFAULT_TAG } from "../../oci/reference.ts";
import { matches, type NamePattern } from "../../routing/name-pattern.ts";

/** What is stored, page by page. */
export type NameLister = {
  repositoriesAfter(after: RepositoryKey, limit: number): Promise<readonly RepositoryKey[]>;
  tagsIn(
    where: RepositoryKey,
    limit: number,
  ): Promise<readonly { readonly tag: string; readonly acceptClass: string; readonly digest: Digest }[]>;
  manifestsIn(where: RepositoryKey, limit: number): Promise<readonly { readonly digest: Digest }[]>;
};

/** What patterns mean where something is stored. */
export type StoredPatterns = {
  /** Throws `reference-invalid`, `route-unknown`. */
  parse(text: string): Promise<NamePattern>;
  /** The error for a pattern that nothing matches, with what comes near. */
  nothing(text: string, pattern: NamePattern): Promise<GranaryError>;
};

/** Something that a bundle gets: a tag, or a digest without one. */
export type NamedThing = RepositoryKey & ({ readonly tag: string } | { readonly digest: Digest });

const REPOSITORIES_AT_ONCE = 200;
const MOST_OF_REPOSITORY = 20_000;
const MOST_THINGS = 10_000;

/** Sorted by name, each once. Throws `reference-invalid`, `route-unknown`, and `not-found` for a pattern that matches nothing. */
export async function namedThings(
  patterns: readonly string[],
  stored: NameLister,
  names: StoredPatterns,
): Promise<readonly NamedThing[]> {
  const found = new Map<string, NamedThing>();
  for (const text of patterns) {
    const pattern = await names.parse(text);
    const things = await thingsOf(pattern, stored);
    if (things.length === 0) throw await names.nothing(text, pattern);
    for (const thing of things) found.set(thingName(thing), thing);
    if (found.size > MOST_THINGS) throw tooMany();
  }
  return [...found.keys()].sort().flatMap((key) => found.get(key) ?? []);
}

/** `docker.io/library/alpine:3.22`. */
export function thingName(thing: NamedThing): string {
  const what = "tag" in thing ? `:${thing.tag}` : `@${thing.digest}`;
  return `${thing.upstream}/${thing.repository}${what}`;
}

async function thingsOf(pattern: NamePattern, stored: NameLister): Promise<NamedThing[]> {
  const { upstream, repository, tag, digest } = pattern;
  const where = { upstream, repository };
  const isOne = ![upstream, repository].some(hasWildcard);
  if (isOne && digest !== undefined && isDigest(digest)) return [{ ...where, digest }];
  if (isOne && tag !== undefined && !hasWildcard(tag)) return [{ ...where, tag }];
  const found: NamedThing[] = [];
  for await (const each of isOne ? [where] : repositoriesOf(stored)) {
    found.push(...(await thingsIn(each, pattern, stored)));
    if (found.length > MOST_THINGS) throw tooMany();
  }
  const isPlain = isOne && tag === undefined && digest === undefined;
  return found.length === 0 && isPlain ? [{ ...where, tag: DEFAULT_TAG }] : found;
}

async function thingsIn(
  where: RepositoryKey,
  pattern: NamePattern,
  stored: NameLister,
): Promise<NamedThing[]> {
  if (!matches({ ...pattern, tag: undefined, digest: undefined }, where)) return [];
  const tags = await stored.tagsIn(where, MOST_OF_REPOSITORY);
  const named = tags
    .filter(({ acceptClass }) => acceptClass === "")
    .filter(({ tag, digest }) => matches(pattern, { ...where, tag, digest }))
    .map(({ tag }) => ({ ...where, tag }));
  if (named.length > 0 || pattern.digest === undefined || pattern.tag !== undefined) return named;
  const manifests = await stored.manifestsIn(where, MOST_OF_REPOSITORY);
  return manifests
    .filter(({ digest }) => matches(pattern, { ...where, digest }))
    .map(({ digest }) => ({ ...where, digest }));
}

async function* repositoriesOf(stored: NameLister): AsyncGenerator<RepositoryKey> {
  for (let after: RepositoryKey = { upstream: "", repository: "" }; ; ) {
    const page = await stored.repositoriesAfter(after, REPOSITORIES_AT_ONCE);
    yield* page;
    // Others have their turn.
    await setImmediate();
    const last = page.at(-1);
    if (last === undefined || page.length < REPOSITORIES_AT_ONCE) return;
    after = last;
  }
}

function hasWildcard(text: string): boolean {
  return text.includes("*");
}

function tooMany(): GranaryError {
  const message = `More than ${MOST_THINGS} names match: make several bundles.`;
  return new GranaryError("config-invalid", message, { saysWhatToDo: true });
}
