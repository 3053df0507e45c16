/**
 * Owns removals: names leave their repositories first, in one transaction for each repository, then the blobs and unfinished blobs that no
 * repository needs any more are removed in the Janitor's order. What is being read or filled goes when its last reader has ended (F12). What a
 * keep rule stands for stays, unless that is forced. A dry run makes the same plan and stops there.
 */
import { GranaryError } from "../../errors.ts";
import type { ContentRemoval, Leaving, LeavingRows } from "../../metadata/content-removal.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { RepositoryKey, TagKey } from "../../metadata/metadata.ts";
import type { PatientMetadata } from "../../metadata/patient-metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { EventTeller } from "../../records/events.ts";
import { matches, type NamePattern } from "../../routing/name-pattern.ts";
import { Slices } from "../../waiting/slices.ts";
import type { Keep } from "../rules/keep.ts";
import type { Candidate } from "../space/coldest.ts";
import type { Pins } from "../space/pins.ts";
import type { Space } from "../space/space.ts";
import type { TagUses } from "../space/tag-uses.ts";
import type { Uses } from "../space/uses.ts";
import type { FoundPartials } from "./found-partials.ts";
import { repositoryName, type StoredNames } from "./stored-names.ts";
import { tellRemoved } from "./tell-removed.ts";

export type RemoveOptions = {
  /** Only what nobody asked for within this time; ms. */
  readonly unusedForMs?: number | undefined;
  /** Also what a keep rule stands for. */
  readonly force?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
};

/** What leaves, or has left, one repository. */
type RemovedNames = RepositoryKey & {
  readonly isAll: boolean;
  readonly tags: readonly string[];
  readonly manifests: readonly Digest[];
};

export type Removed = {
  readonly repositories: readonly RemovedNames[];
  /** Names that matched and stay, each with the keep rule that holds it. */
  readonly kept: readonly { readonly name: string; readonly rule: string }[];
  /** Blobs and unfinished blobs that go. */
  readonly blobs: number;
  /** Bytes that come free. */
  readonly freed: number;
  /** Of these, bytes of what is being read or filled: they come free when that has ended. */
  readonly later: number;
};

/** Whoever remembers something of what lies in the database. */
export type Forgetful = {
  forgetNames(where: RepositoryKey, tags: readonly TagKey[], digests: readonly Digest[]): void;
};

export type RemoveParts = {
  readonly rows: ContentRows & ContentRemoval;
  readonly names: StoredNames;
  readonly partials: FoundPartials;
  readonly metadata: PatientMetadata;
  readonly space: Pick<Space, "remove">;
  readonly pins: Pins;
  readonly keep: Keep;
  readonly uses: Uses;
  readonly tagUses: TagUses;
  readonly memory: Forgetful;
  /** Hears of each removal, once. */
  readonly events: EventTeller;
  readonly clock: Clock;
};

type Plan = {
  readonly leaving: Leaving[];
  readonly rows: LeavingRows[];
  readonly kept: Removed["kept"][number][];
  /** What no repository has a link to any more. */
  readonly unneeded: Set<Digest>;
};

const MOST_TAGS = 100_000;
const TRY_AGAIN_MS = 2_000;
/** Repositories and kept names that are told of one by one. */
const MOST_TOLD = 50_000;

export class Removals {
  readonly #parts: RemoveParts;
  #running: Promise<unknown> = Promise.resolve();

  constructor(parts: RemoveParts) {
    this.#parts = parts;
  }

  /**
   * Removes what `text` stands for. Throws `not-found` with what comes near, `denied` where keep rules hold all that matches, `store-full` while
   * the database cannot be written, `reference-invalid`, `route-unknown`.
   */
  async remove(text: string, options: RemoveOptions): Promise<Removed> {
    const { names } = this.#parts;
    const pattern = await names.parse(text);
    const run = this.#running.then(() => this.#removeInTurn(text, pattern, options));
    this.#running = run.catch(() => undefined);
    return await run;
  }

  async #removeInTurn(text: string, pattern: NamePattern, options: RemoveOptions): Promise<Removed> {
    await this.#settle();
    const plan = await this.#plan(text, pattern, options);
    const blobs = await this.#candidates(plan.unneeded);
    const later = blobs.filter((blob) => this.#parts.pins.has(blob.digest));
    if (options.dryRun !== true) {
      await this.#leave(plan);
      await this.#parts.space.remove(blobs);
      tellRemoved(this.#parts.events, pattern.text, plan.rows, blobs);
      for (const digest of new Set(later.map((blob) => blob.digest))) this.#removeLater(digest);
    }
    return {
      repositories: plan.rows.slice(0, MOST_TOLD).map(({ upstream, repository, isAll, tags, manifests }) => {
        return { upstream, repository, isAll, tags, manifests };
      }),
      kept: plan.kept.slice(0, MOST_TOLD),
      blobs: blobs.length,
      freed: sizeOf(blobs),
      later: sizeOf(later),
    };
  }

  /** What is still in memory is written first: otherwise a row that waits would bring back what was removed. */
  async #settle(): Promise<void> {
    const { metadata, uses, tagUses } = this.#parts;
    await tagUses.flush();
    await uses.flush();
    await metadata.flush();
    if (metadata.unwritten === 0) return;
    const sentence =
      "The database cannot be written at the moment, so nothing was removed. Free some space on the disk first.";
    throw new GranaryError("store-full", sentence, { saysWhatToDo: true });
  }

  async #plan(text: string, pattern: NamePattern, options: RemoveOptions): Promise<Plan> {
    const { rows, names, clock } = this.#parts;
    const plan: Plan = { leaving: [], rows: [], kept: [], unneeded: new Set() };
    const slices = new Slices(clock);
    const gone = new Map<Digest, number>();
    let isAnything = false;
    for await (const where of names.repositories(pattern)) {
      await slices.breathe();
      const chosen = await this.#chosenIn(where, pattern, options, plan.kept);
      isAnything ||= chosen.isAnything;
      if (chosen.leaving === undefined) continue;
      const leaves = await rows.whatLeaves(chosen.leaving);
      plan.leaving.push(chosen.leaving);
      plan.rows.push(leaves);
      for (const digest of leaves.unlinked) gone.set(digest, (gone.get(digest) ?? 0) + 1);
    }
    if (!isAnything) throw await names.nothing(text, pattern);
    if (plan.leaving.length === 0 && plan.kept.length > 0) throw allKept(plan.kept);
    for (const [digest, count] of gone) {
      if ((await rows.linksTo(digest)) <= count) plan.unneeded.add(digest);
      await slices.breathe();
    }
    return plan;
  }

  /** What of one repository is meant; `isAnything` when something matched, also what stays. */
  async #chosenIn(
    where: RepositoryKey,
    pattern: NamePattern,
    { unusedForMs, force = false }: RemoveOptions,
    kept: Plan["kept"],
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

  async #leave({ leaving }: Plan): Promise<void> {
    const { rows, memory, clock } = this.#parts;
    const slices = new Slices(clock);
    for (const each of leaving) {
      const left = await rows.leave(each);
      const { upstream, repository } = left;
      const keys = left.tagKeys.map((key) => ({ upstream, repository, ...key }));
      memory.forgetNames(left, keys, left.unlinked);
      await slices.breathe();
    }
  }

  /** Blobs and saved partials of these digests. */
  async #candidates(wanted: ReadonlySet<Digest>): Promise<Candidate[]> {
    const { metadata, partials, clock } = this.#parts;
    const found: Candidate[] = [];
    const slices = new Slices(clock);
    for (const digest of wanted) {
      const blob = await metadata.blob(digest);
      if (blob !== undefined) found.push({ kind: "blob", ...blob });
      await slices.breathe();
    }
    for (const { digest, upstream, present, changedAt } of await partials.list())
      if (wanted.has(digest))
        found.push({ kind: "partial", digest, upstream, size: present, usedAt: changedAt ?? 0 });
    return found;
  }

  /** When the last reader and the last fill have ended, unless somebody pulled it again meanwhile. */
  #removeLater(digest: Digest): void {
    const { pins, rows, space, clock } = this.#parts;
    const remove = async () => {
      if (await rows.isNeeded(digest)) return;
      const left = await this.#candidates(new Set([digest]));
      const gone = await space.remove(left);
      if (gone.length === left.length) return;
      // Somebody reads it again, or the file of its fill is being closed.
      clock.after(TRY_AGAIN_MS, () => this.#removeLater(digest));
    };
    // What fails stays, and goes by its age like anything else.
    pins.whenFree(digest, () => void remove().catch(() => undefined));
  }
}

function sizeOf(candidates: readonly Candidate[]): number {
  return candidates.reduce((sum, { size }) => sum + size, 0);
}

function allKept(kept: Removed["kept"]): GranaryError {
  const [{ name, rule } = { name: "", rule: "" }] = kept;
  const more = kept.length - 1;
  const otherRules = new Set(kept.map((one) => one.rule)).size - 1;
  const what = more > 0 ? `${name} and ${more} more are` : `${name} is`;
  const [rules, them] =
    otherRules > 0 ? [`${rule} and ${otherRules} more`, "these rules"] : [rule, "the rule"];
  const sentence = `${what} kept by the rule ${rules}: nothing was removed. Take ${them} back with granary unkeep, or remove ${more > 0 ? "them" : "it"} all the same with --force.`;
  return new GranaryError("denied", sentence, { target: name, saysWhatToDo: true });
}
