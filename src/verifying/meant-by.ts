/** Owns which stored digests a name pattern stands for: manifests of its repositories and tags, and all that these list. It changes nothing. */
import { GranaryError } from "../errors.ts";
import type { ContentRows } from "../metadata/content-rows.ts";
import type { RepositoryKey } from "../metadata/metadata.ts";
import type { Digest } from "../oci/digest.ts";
import { globMatches, pathMatches } from "../routing/glob.ts";
import type { NamePattern } from "../routing/name-pattern.ts";
import { didYouMean, nearNames } from "../routing/near-names.ts";

/** The questions that it asks of what is stored. */
export type ContentQuestions = Pick<
  ContentRows,
  "repositoriesAfter" | "tagsIn" | "manifestsIn" | "partsOf" | "repositoriesWith" | "linkedLike"
>;

const AT_ONCE = 200;
const MOST_IN_REPOSITORY = 100_000;
const MOST_PARTS = 20_000;

/** Throws `not-found` where nothing that is stored has such a name, with what comes near. */
export async function meantBy(
  contents: ContentQuestions,
  pattern: NamePattern,
): Promise<(digest: Digest) => boolean> {
  const { digest: glob } = pattern;
  if (pattern.upstream === "*" && pattern.repository === "**" && glob !== undefined)
    return (digest) => globMatches(glob, digest);
  const found = new Set<string>();
  const names: string[] = [];
  for await (const where of repositoriesOf(contents)) {
    names.push(`${where.upstream}/${where.repository}`);
    if (!globMatches(pattern.upstream, where.upstream) || !pathMatches(pattern.repository, where.repository))
      continue;
    const tops = await topsOf(contents, where, pattern);
    for (const top of tops) {
      found.add(top);
      for (const { digest } of await contents.partsOf(top, MOST_PARTS)) found.add(digest);
    }
    // A digest can be that of a blob, too: it has no parts.
    if (tops.length === 0 && glob !== undefined && pattern.tag === undefined)
      for (const digest of await contents.linkedLike(where, glob)) found.add(digest);
  }
  if (found.size === 0) {
    const near = didYouMean(nearNames(pattern.text.replace(/[@:].*$/, ""), names));
    throw nothingNamed(pattern.text, near);
  }
  return (digest) => found.has(digest);
}

/** The error for a pattern that stands for nothing that is stored. */
export function nothingNamed(text: string, near = ""): GranaryError {
  return new GranaryError("not-found", `Nothing that is stored is named ${text}.${near}`);
}

async function* repositoriesOf(contents: ContentQuestions): AsyncGenerator<RepositoryKey> {
  for (let after: RepositoryKey = { upstream: "", repository: "" }; ; ) {
    const page = await contents.repositoriesAfter(after, AT_ONCE);
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < AT_ONCE) return;
    after = last;
  }
}

/** The manifests of a repository that the pattern names. */
async function topsOf(
  contents: ContentQuestions,
  where: RepositoryKey,
  { tag, digest }: NamePattern,
): Promise<Digest[]> {
  const tags = tag === undefined ? [] : await contents.tagsIn(where, MOST_IN_REPOSITORY);
  const tagged = tags.filter((each) => globMatches(tag ?? "*", each.tag)).map((each) => each.digest);
  const all =
    tag === undefined
      ? (await contents.manifestsIn(where, MOST_IN_REPOSITORY)).map((each) => each.digest)
      : tagged;
  return digest === undefined ? all : all.filter((each) => globMatches(digest, each));
}
