/**
 * Owns which tags and manifests of one repository a removal means: what the pattern stands for, is old enough, and is held by no keep rule. It
 * changes nothing.
 */
import type { Leaving } from "../../metadata/content-removal.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { Metadata, RepositoryKey } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import { matches, type NamePattern } from "../../routing/name-pattern.ts";
import type { Keep } from "../rules/keep.ts";
import { repositoryName } from "./stored-names.ts";

export type RemoveOptions = {
  /** Only what nobody asked for within this time; ms. */
  readonly unusedForMs?: number | undefined;
  /** Also what a keep rule stands for. */
  readonly force?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
};

/** A name that matched and stays, with the keep rule that holds it. */
export type KeptName = { readonly name: string; readonly rule: string };

export type ChoiceParts = {
  readonly rows: ContentRows;
  readonly metadata: Pick<Metadata, "blob">;
  readonly keep: Keep;
  readonly clock: Clock;
};

const MOST_TAGS = 100_000;

export class RemovalChoice {
  readonly #parts: ChoiceParts;

  constructor(parts: ChoiceParts) {
    this.#parts = parts;
  }

  /** What of one repository is meant; `isAnything` when something matched, also what stays. */
  async in(
    where: RepositoryKey,
    pattern: NamePattern,
    { unusedForMs, force = false }: RemoveOptions,
    kept: KeptName[],
  ): Promise<{ readonly isAnything: boolean; readonly leaving?: Leaving }> {
    const { rows, keep } = this.#parts;
    const isWhole = pattern.tag === undefined && pattern.digest === undefined;
    const before = this.#parts.clock.now() - (unusedForMs ?? 0);
    const isOld = (usedAt: number) => unusedForMs === undefined || usedAt < before;
    const tags = new Map<
      string,
      { readonly tag: string; readonly digest: Digest; readonly usedAt: number }
    >();
    for (const row of await rows.tagsIn(where, MOST_TAGS))
      tags.set(row.tag, { ...row, usedAt: (await rows.tagUsedAt(where, row.tag)) ?? row.checkedAt });
    const named = [...tags.values()].filter((row) => matches(pattern, { ...where, ...row }));
    const digests = await this.#digestsIn(where, pattern);
    const isAnything = isWhole || named.length > 0 || digests.length > 0;
    const [goingTags, goingDigests]: [string[], Digest[]] = [[], []];
    for (const { tag, digest, usedAt } of named) {
      if (!isOld(usedAt)) continue;
      const rule = force ? undefined : await keep.ruleFor(where, { tag, digest });
      if (rule === undefined) goingTags.push(tag);
      else kept.push({ name: `${repositoryName(where)}:${tag}`, rule: rule.pattern.text });
    }
    for (const { digest, usedAt } of digests) {
      if (!isOld(usedAt)) continue;
      const rule = force ? undefined : await keep.ruleOver(where, digest);
      if (rule === undefined) goingDigests.push(digest);
      else kept.push({ name: `${repositoryName(where)}@${digest}`, rule: rule.pattern.text });
    }
    const isAll = isWhole && goingTags.length === tags.size && goingDigests.length === digests.length;
    const isNone = goingTags.length === 0 && goingDigests.length === 0;
    // Without a name only blobs are left, and nobody knows when somebody asked for them here.
    if (isNone && (!isAll || unusedForMs !== undefined)) return { isAnything };
    const rule = isNone && !force ? await keep.ruleFor(where, {}) : undefined;
    if (rule !== undefined) kept.push({ name: repositoryName(where), rule: rule.pattern.text });
    if (rule !== undefined) return { isAnything };
    return { isAnything, leaving: { ...where, isAll, tags: goingTags, digests: goingDigests } };
  }

  /** Manifests and blobs that a digest names; of a whole repository, the manifests that no tag leads to. */
  async #digestsIn(
    where: RepositoryKey,
    pattern: NamePattern,
  ): Promise<{ readonly digest: Digest; readonly usedAt: number }[]> {
    const { rows, metadata } = this.#parts;
    if (pattern.tag !== undefined) return [];
    const manifests = await rows.manifestsIn(where, MOST_TAGS);
    if (pattern.digest === undefined) {
      const covered = await rows.taggedIn(where);
      return manifests.filter(({ digest }) => !covered.has(digest));
    }
    const found = manifests.filter(({ digest }) => matches(pattern, { ...where, digest }));
    if (found.length > 0) return found;
    const linked = await rows.linkedLike(where, pattern.digest);
    const blobs = await Promise.all(linked.map((digest) => metadata.blob(digest)));
    return blobs.flatMap((blob) => blob ?? []);
  }
}
