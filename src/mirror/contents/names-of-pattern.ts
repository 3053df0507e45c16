/** Owns which names of one repository a pattern stands for: its tags, and what was pulled by its digest. It changes nothing. */
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { TagInRepository } from "../../metadata/repository-rows.ts";
import type { Digest } from "../../oci/digest.ts";
import { matches, type NamePattern } from "../../routing/name-pattern.ts";

/** A tag, or a manifest that no tag points to. */
export type NameIn = {
  /** undefined for what was pulled by its digest. */
  readonly tag: string | undefined;
  readonly digest: Digest;
  readonly mediaType: string | undefined;
  /** When the upstream last said what the tag means; epoch ms. */
  readonly checkedAt: number | undefined;
  /** Epoch ms. */
  readonly usedAt: number | undefined;
};

const MOST_TAGS = 20_000;

/**
 * The tags that match, then what was pulled by its digest and belongs to no tag; all of them without a pattern. With a digest in the pattern
 * also what a tag leads to, such as the image of one platform.
 */
export async function namesOfPattern(
  rows: Pick<ContentRows, "tagsIn" | "taggedIn" | "manifestsIn">,
  where: RepositoryKey,
  pattern: NamePattern | undefined,
): Promise<NameIn[]> {
  const isMeant = (name: { readonly tag?: string; readonly digest: Digest }) =>
    pattern === undefined || matches(pattern, { ...where, ...name });
  const tagged = tagsOf(await rows.tagsIn(where, MOST_TAGS)).filter(isMeant);
  if (pattern?.tag !== undefined) return tagged.map(nameOfTag);
  const covered = pattern?.digest === undefined ? await rows.taggedIn(where) : new Set<Digest>();
  const byTag = new Set(tagged.map(({ digest }) => digest));
  const untagged = (await rows.manifestsIn(where, MOST_TAGS)).filter(
    ({ digest }) => !byTag.has(digest) && !covered.has(digest) && isMeant({ digest }),
  );
  return [
    ...tagged.map(nameOfTag),
    ...untagged.map(({ digest, mediaType, usedAt }) => {
      return { tag: undefined, digest, mediaType, checkedAt: undefined, usedAt };
    }),
  ];
}

/** One for each tag, whatever kinds of clients it was stored for: what most of them get comes first. */
function tagsOf(rows: readonly TagInRepository[]): TagInRepository[] {
  const tags = new Map<string, TagInRepository>();
  for (const row of rows) if (!tags.has(row.tag)) tags.set(row.tag, row);
  return [...tags.values()];
}

function nameOfTag({ tag, digest, mediaType, checkedAt, usedAt }: TagInRepository): NameIn {
  return { tag, digest, mediaType, checkedAt, usedAt };
}
