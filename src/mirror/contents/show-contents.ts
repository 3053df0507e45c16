/** Owns what is shown of one repository: its tags, the images of each, their parts and how much of each is here, and who pulled it. */
import { GranaryError } from "../../errors.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { NamePattern } from "../../routing/name-pattern.ts";
import type { Keep } from "../rules/keep.ts";
import { imagesOf, type Share, type ShownImage, shareOfAll } from "./content-parts.ts";
import type { FoundPartials } from "./found-partials.ts";
import { type DetailParts, ImageDetails } from "./image-details.ts";
import { type NameIn, namesOfPattern } from "./names-of-pattern.ts";
import { repositoryName, type StoredNames } from "./stored-names.ts";
import type { UsedBy } from "./used-by.ts";

type ShownName = Share &
  NameIn & {
    readonly keptBy: string | undefined;
    readonly images: readonly ShownImage[];
  };

type ShownPull = {
  readonly client: string | undefined;
  readonly tag: string | undefined;
  readonly platform: string | undefined;
  readonly state: string;
  /** Epoch ms. */
  readonly begunAt: number;
  /** Bytes that were sent for it. */
  readonly served: number;
};

export type ShownContents = Share & {
  readonly upstream: string;
  readonly repository: string;
  /** Epoch ms. */
  readonly usedAt: number | undefined;
  readonly saved: number | undefined;
  readonly names: readonly ShownName[];
  /** Tags and manifests that are not shown, because there are too many. */
  readonly more: number;
  /** Newest first. */
  readonly pulls: readonly ShownPull[];
};

export type ShowParts = {
  readonly rows: ContentRows;
  readonly names: StoredNames;
  readonly partials: FoundPartials;
  readonly usedBy: UsedBy;
  readonly keep: Keep;
  readonly store: DetailParts["store"];
};

const MOST_NAMES = 200;
const MOST_PULLS = 10;

/** Throws `not-found` with what comes near, `reference-invalid` where several repositories match, `route-unknown`. */
export async function showContents(parts: ShowParts, text: string): Promise<ShownContents> {
  const { names, rows, partials, usedBy, keep } = parts;
  const pattern = await names.parse(text);
  const where = await theOne(parts, pattern, text);
  const found = await partials.find();
  const all = await namesOfPattern(rows, where, pattern);
  if (all.length === 0 && (pattern.tag !== undefined || pattern.digest !== undefined))
    throw await names.nothing(text, pattern);
  const details = new ImageDetails(parts, where.upstream);
  const shown: ShownName[] = [];
  for (const name of all.slice(0, MOST_NAMES)) {
    const images = await imagesOf(rows, where, name.digest, found);
    const rule = await keep.ruleFor(where, {
      digest: name.digest,
      ...(name.tag !== undefined && { tag: name.tag }),
    });
    const share = shareOfAll(images.filter(({ isStored }) => isStored));
    const detailed: ShownImage[] = [];
    for (const image of images) detailed.push(await details.of(image));
    shown.push({ ...name, ...share, keptBy: rule?.pattern.text, images: detailed });
  }
  const { size, wanted, usedAt } = await rows.sumsOf(where);
  const partial = found.presentIn(where);
  return {
    ...{ upstream: where.upstream, repository: where.repository },
    ...{ size, partial, wanted: Math.max(wanted, size + partial), usedAt: usedAt || undefined },
    saved: (await usedBy.savedBy(where))?.saved,
    names: shown,
    more: all.length - shown.length,
    pulls: usedBy.pullsOf(where, MOST_PULLS).map(({ client, tag, platform, state, begunAt, served }) => {
      const named = { client: client ?? undefined, tag: tag ?? undefined, platform: platform ?? undefined };
      return { ...named, state, begunAt, served };
    }),
  };
}

async function theOne(
  { names, rows }: ShowParts,
  pattern: NamePattern,
  text: string,
): Promise<RepositoryKey> {
  const found: RepositoryKey[] = [];
  const isSearched = pattern.digest !== undefined && pattern.repository.includes("*");
  for await (const where of names.repositories(pattern)) {
    if (isSearched && (await namesOfPattern(rows, where, pattern)).length === 0) continue;
    if (found.push(where) > 3) break;
  }
  const [first, ...others] = found;
  if (first === undefined) throw await names.nothing(text, pattern);
  if (others.length === 0) return first;
  const shown = found.map(repositoryName).slice(0, 3).join(", ");
  const sentence = `${pattern.text} stands for more than one repository (${shown}${found.length > 3 ? ", ..." : ""}): name one of them, or see them with granary list.`;
  throw new GranaryError("reference-invalid", sentence, { target: pattern.text, saysWhatToDo: true });
}
