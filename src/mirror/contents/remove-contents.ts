/**
 * Owns removals: names leave their repositories first, in one transaction for each repository, then the blobs and unfinished blobs that no
 * repository needs any more are removed in the Janitor's order. What is being read or filled goes when its last reader has ended (F12). What a
 * keep rule stands for stays, unless that is forced. A dry run makes the same plan and stops there.
 * It is long because a removal, one of much, one of another node and a dry run share the plan and their turns.
 */
import { GranaryError } from "../../errors.ts";
import type { ContentRemoval, Leaving, LeavingRows } from "../../metadata/content-removal.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { RepositoryKey, TagKey } from "../../metadata/metadata.ts";
import type { PatientMetadata } from "../../metadata/patient-metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { EventTeller } from "../../records/events.ts";
import type { NamePattern } from "../../routing/name-pattern.ts";
import { Slices } from "../../waiting/slices.ts";
import type { Keep } from "../rules/keep.ts";
import type { Candidate } from "../space/coldest.ts";
import type { TagUses } from "../space/tag-uses.ts";
import type { Uses } from "../space/uses.ts";
import { LeftBlobs, type LeftBlobsParts } from "./left-blobs.ts";
import { type KeptName, RemovalChoice, type RemoveOptions } from "./removal-choice.ts";
import type { StoredNames } from "./stored-names.ts";
import { namesOf, tellRemoved } from "./tell-removed.ts";

/** What leaves, or has left, one repository. */
type RemovedNames = RepositoryKey & {
  readonly isAll: boolean;
  readonly tags: readonly string[];
  readonly manifests: readonly Digest[];
};

export type Removed = {
  readonly repositories: readonly RemovedNames[];
  /** Names that matched and stay, each with the keep rule that holds it. */
  readonly kept: readonly KeptName[];
  /** Blobs and unfinished blobs that go. */
  readonly blobs: number;
  /** Bytes that come free. */
  readonly freed: number;
  /** Of these, bytes of what is being read or filled: they come free when that has ended. */
  readonly later: number;
};

/** What a removal of much is told while it goes on. */
export type BulkControls = {
  readonly signal: AbortSignal;
  /** What has left by now; `bytes` and `things` (repositories) are what leaves in all. */
  readonly onProgress: (progress: {
    readonly sums: RemovedSums;
    readonly bytes: number;
    readonly things: number;
  }) => void;
};

type RemovedSums = Pick<Removed, "blobs" | "freed" | "later"> & {
  readonly names: number;
  readonly repositories: number;
};

/** What has left, in sums. */
export type BulkRemoved = RemovedSums & {
  readonly kept: Removed["kept"];
  /** Names that stay and are not among `kept`. */
  readonly more: number;
};

/** Whoever remembers something of what lies in the database. */
export type Forgetful = {
  forgetNames(where: RepositoryKey, tags: readonly TagKey[], digests: readonly Digest[]): void;
};

export type RemoveParts = LeftBlobsParts & {
  readonly rows: ContentRows & ContentRemoval;
  readonly names: StoredNames;
  readonly metadata: PatientMetadata;
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
  readonly kept: KeptName[];
  /** What no repository has a link to any more. */
  readonly unneeded: Set<Digest>;
};

/** Repositories and kept names that are told of one by one. */
const MOST_TOLD = 50_000;
/** Of a removal of much. */
const MOST_KEPT_TOLD = 200;
/** Repositories, tags, manifests and blobs: more than that takes some seconds on a slow disk. */
const MUCH = 2_000;

export class Removals {
  readonly #parts: RemoveParts;
  readonly #choice: RemovalChoice;
  readonly #blobs: LeftBlobs;
  #running: Promise<unknown> = Promise.resolve();

  constructor(parts: RemoveParts) {
    this.#parts = parts;
    this.#choice = new RemovalChoice(parts);
    this.#blobs = new LeftBlobs(parts);
  }

  /**
   * Whether a removal of `text` takes long enough that somebody may want to see how far it is, or to stop it. Throws `reference-invalid`,
   * `route-unknown`.
   */
  async isMuch(text: string): Promise<boolean> {
    const { names, rows } = this.#parts;
    let things = 0;
    for await (const where of names.repositories(await names.parse(text))) {
      const { tags, manifests, blobs } = await rows.sumsOf(where);
      things += 1 + tags + manifests + blobs;
      if (things > MUCH) return true;
    }
    return false;
  }

  /**
   * The same as `remove`, repository by repository: each leaves with its blobs before the next one does, and others may remove or pull
   * meanwhile. `signal` ends it between two repositories. What is stored of names that left is given as sums. Throws as `remove`.
   */
  async removeMuch(
    text: string,
    options: RemoveOptions,
    { signal, onProgress }: BulkControls,
  ): Promise<BulkRemoved> {
    const { names, events } = this.#parts;
    const pattern = await names.parse(text);
    const whole = await this.#inTurn(() => this.#removeInTurn(text, pattern, { ...options, dryRun: true }));
    const total = { bytes: whole.freed, things: whole.repositories.length };
    const sums = { names: 0, repositories: 0, blobs: 0, freed: 0, later: 0 };
    for await (const where of names.repositories(pattern)) {
      if (signal.aborted) break;
      const one = await this.#inTurn(() => this.#removeOne(where, pattern, options));
      if (one === undefined) continue;
      sums.names += one.names;
      sums.repositories += 1;
      for (const key of ["blobs", "freed", "later"] as const) sums[key] += one[key];
      const bytes = Math.max(total.bytes, sums.freed);
      onProgress({ sums: { ...sums }, bytes, things: Math.max(total.things, sums.repositories) });
    }
    tellRemoved(events, pattern.text, sums);
    return {
      ...sums,
      kept: whole.kept.slice(0, MOST_KEPT_TOLD),
      more: Math.max(0, whole.kept.length - MOST_KEPT_TOLD),
    };
  }

  async #removeOne(where: RepositoryKey, pattern: NamePattern, options: RemoveOptions) {
    await this.#settle();
    const { leaving } = await this.#choice.in(where, pattern, options, []);
    if (leaving === undefined) return undefined;
    const left = await this.#leave(leaving);
    const unneeded: Digest[] = [];
    for (const digest of left.unlinked)
      if ((await this.#parts.rows.linksTo(digest)) === 0) unneeded.push(digest);
    const blobs = await this.#blobs.candidates(unneeded);
    const later = blobs.filter((blob) => this.#parts.pins.has(blob.digest));
    await this.#blobs.remove(unneeded, blobs);
    return { names: namesOf(left), blobs: blobs.length, freed: sizeOf(blobs), later: sizeOf(later) };
  }

  /**
   * Another node of the fleet has removed `leaving`: what is here of it goes too, by `here`, the rows of this node alone. Throws what Metadata and the
   * disk throw.
   */
  async leftElsewhere(leaving: Leaving, here: Pick<ContentRemoval, "leave">): Promise<void> {
    await this.#inTurn(async () => {
      await this.#settle();
      const left = await here.leave(leaving);
      this.#forget(left);
      const unneeded: Digest[] = [];
      for (const digest of left.unlinked)
        if ((await this.#parts.rows.linksTo(digest)) === 0) unneeded.push(digest);
      await this.#blobs.remove(unneeded, await this.#blobs.candidates(unneeded));
    });
  }

  /** See LeftBlobs. */
  async finish(): Promise<void> {
    await this.#blobs.finish();
  }

  /**
   * Removes what `text` stands for. Throws `not-found` with what comes near, `denied` where keep rules hold all that matches, `store-full` while
   * the database cannot be written, `reference-invalid`, `route-unknown`.
   */
  async remove(text: string, options: RemoveOptions): Promise<Removed> {
    const { names } = this.#parts;
    const pattern = await names.parse(text);
    return await this.#inTurn(() => this.#removeInTurn(text, pattern, options));
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#running.then(work);
    this.#running = run.catch(() => undefined);
    return await run;
  }

  async #removeInTurn(text: string, pattern: NamePattern, options: RemoveOptions): Promise<Removed> {
    await this.#settle();
    const plan = await this.#plan(text, pattern, options);
    const blobs = await this.#blobs.candidates([...plan.unneeded]);
    const later = blobs.filter((blob) => this.#parts.pins.has(blob.digest));
    if (options.dryRun !== true) {
      await this.#leaveAll(plan.leaving);
      await this.#blobs.remove([...plan.unneeded], blobs);
      const names = plan.rows.reduce((sum, left) => sum + namesOf(left), 0);
      tellRemoved(this.#parts.events, pattern.text, { names, blobs: blobs.length, freed: sizeOf(blobs) });
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
      const chosen = await this.#choice.in(where, pattern, options, plan.kept);
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

  async #leaveAll(leaving: readonly Leaving[]): Promise<void> {
    const slices = new Slices(this.#parts.clock);
    for (const each of leaving) {
      await this.#leave(each);
      await slices.breathe();
    }
  }

  async #leave(leaving: Leaving): Promise<LeavingRows> {
    const left = await this.#parts.rows.leave(leaving);
    this.#forget(left);
    return left;
  }

  #forget(left: LeavingRows): void {
    const { upstream, repository } = left;
    const keys = left.tagKeys.map((key) => ({ upstream, repository, ...key }));
    this.#parts.memory.forgetNames(left, keys, left.unlinked);
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
