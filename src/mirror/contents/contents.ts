/**
 * Owns Contents: everything that a person can ask of what is stored, and do with it. Each question has a file of its own beside this one; here
 * they get their parts. It serves no client.
 */
import { messageOf } from "../../errors.ts";
import type { ContentRemoval, Leaving } from "../../metadata/content-removal.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { PatientMetadata } from "../../metadata/patient-metadata.ts";
import type { UnneededRows } from "../../metadata/unneeded-rows.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Records } from "../../records/records.ts";
import type { NamePattern } from "../../routing/name-pattern.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { Spool } from "../../store/partial.ts";
import type { Access } from "../access/access.ts";
import type { Links } from "../access/links.ts";
import type { Manifests } from "../manifests.ts";
import type { MirrorStatus } from "../mirror.ts";
import type { Keep } from "../rules/keep.ts";
import type { Pins } from "../space/pins.ts";
import type { Space } from "../space/space.ts";
import type { TagUses } from "../space/tag-uses.ts";
import type { Uses } from "../space/uses.ts";
import type { EdgeBackfill } from "./edge-backfill.ts";
import { FoundPartials } from "./found-partials.ts";
import { keepContents, type ShownRule, shownRules, unkeepContents } from "./keep-contents.ts";
import { ContentList, type ContentPage, type ContentQuery } from "./list-contents.ts";
import { isMuchRoom, type MadeRoom, makeMuchRoom, makeRoom, type RoomProgress } from "./make-room.ts";
import { type RefreshedTag, type RefreshParts, refreshTags } from "./refresh-tags.ts";
import type { RemoveOptions } from "./removal-choice.ts";
import {
  type BulkControls,
  type BulkRemoved,
  type Forgetful,
  Removals,
  type Removed,
} from "./remove-contents.ts";
import { type ShownContents, showContents } from "./show-contents.ts";
import type { StoredNames } from "./stored-names.ts";
import { Unneeded, type UnneededParts } from "./unneeded.ts";
import { UsedBy } from "./used-by.ts";

/** Errors are those of the functions in the files beside this one. `dryRun`: say what would happen, and change nothing. */
export type Contents = {
  /** The pattern that a person means by `text`, with what is stored in mind. Throws `reference-invalid`, `route-unknown`. */
  meaning(text: string): Promise<NamePattern>;
  list(query: ContentQuery): Promise<ContentPage>;
  show(reference: string): Promise<ShownContents>;
  remove(pattern: string, options: RemoveOptions): Promise<Removed>;
  /** Whether `remove` of it would take long. */
  isMuchToRemove(pattern: string): Promise<boolean>;
  removeMuch(pattern: string, options: RemoveOptions, controls: BulkControls): Promise<BulkRemoved>;
  refresh(pattern: string, dryRun: boolean): Promise<readonly RefreshedTag[]>;
  /** Lets `bytes` go, in the order in which they would go for room. */
  evict(bytes: number, dryRun: boolean): Promise<MadeRoom>;
  /** Whether that would take long. */
  isMuchToEvict(bytes: number): Promise<boolean>;
  /** The same bit by bit; `onProgress` hears what went, and how many things go in all. */
  evictMuch(bytes: number, signal: AbortSignal, onProgress: RoomProgress): Promise<void>;
  keepRules(): Promise<readonly ShownRule[]>;
  keep(pattern: string, dryRun: boolean): Promise<ShownRule>;
  unkeep(pattern: string, dryRun: boolean): Promise<ShownRule>;
  /** Removes what was to leave when the last process ended; before anybody is served. Logs, never throws. */
  finishRemovals(): Promise<void>;
  /** See Removals. */
  leftElsewhere(leaving: Leaving, here: Pick<ContentRemoval, "leave">): Promise<void>;
  /** Lets go, in the background, of names that nobody used for long and of which no blob is here. */
  sweepNames(): Promise<void>;
};

export type ContentsParts = {
  readonly rows: ContentRows & ContentRemoval;
  readonly names: StoredNames;
  readonly metadata: PatientMetadata;
  readonly spool: Spool;
  readonly store: Pick<BlobStore, "open" | "stat">;
  readonly fills: () => MirrorStatus["fills"];
  readonly space: Space;
  readonly pins: Pins;
  readonly uses: Uses;
  readonly tagUses: TagUses;
  readonly keep: Keep;
  readonly links: Links;
  readonly access: Access;
  readonly manifests: Manifests;
  readonly records: Records;
  readonly backfill: EdgeBackfill;
  readonly clock: Clock;
  readonly ask: RefreshParts["ask"];
  readonly askAnew: RefreshParts["askAnew"];
  readonly askFor: UnneededParts["askFor"];
  /** Where names leave by themselves. */
  readonly unneeded: readonly UnneededRows[];
  readonly log: Log;
};

export function contentsOf(parts: ContentsParts): Contents {
  const { manifests, links, access, backfill, records } = parts;
  const memory: Forgetful = {
    forgetNames: (where, tags, digests) => {
      manifests.forgetHere(tags, digests);
      links.forgetAll(where, digests);
      access.forget(where, digests);
    },
  };
  const shared = {
    ...parts,
    partials: new FoundPartials(parts),
    usedBy: new UsedBy(records),
    events: records.events,
    budget: () => parts.space.budget,
    memory,
  };
  const { forgetNames } = memory;
  const unneeded = parts.unneeded.map((rows) => new Unneeded({ ...parts, rows, forgetNames }));
  const list = new ContentList(shared);
  const removals = new Removals(shared);
  /** What a manifest lists must be known of all of them before anything is said of it. */
  const whenKnown = async <T>(work: () => Promise<T>): Promise<T> => {
    await backfill.done();
    // The last uses of a moment ago count too. Where they cannot be written now, those of before are told.
    await Promise.allSettled([parts.tagUses.flush(), parts.uses.flush()]);
    return await work();
  };
  return {
    meaning: (text) => parts.names.parse(text),
    list: (query) => whenKnown(() => list.page(query)),
    show: (reference) => whenKnown(() => showContents(shared, reference)),
    leftElsewhere: (leaving, here) => removals.leftElsewhere(leaving, here),
    remove: (pattern, options) => whenKnown(() => removals.remove(pattern, options)),
    isMuchToRemove: (pattern) => whenKnown(() => removals.isMuch(pattern)),
    removeMuch: (pattern, options, controls) =>
      whenKnown(() => removals.removeMuch(pattern, options, controls)),
    refresh: (pattern, dryRun) => refreshTags(shared, pattern, dryRun),
    evict: (bytes, dryRun) => whenKnown(() => makeRoom(shared, bytes, dryRun)),
    isMuchToEvict: (bytes) => whenKnown(() => isMuchRoom(shared, bytes)),
    evictMuch: (bytes, signal, onProgress) =>
      whenKnown(() => makeMuchRoom(shared, bytes, signal, onProgress)),
    keepRules: () => whenKnown(() => shownRules(shared)),
    keep: (pattern, dryRun) => whenKnown(() => keepContents(shared, pattern, dryRun)),
    finishRemovals: async () => {
      try {
        await removals.finish();
      } catch (error) {
        const text = "what was removed when Granary ended is still on the disk: the next start tries again";
        parts.log.warn({ reason: messageOf(error) }, text);
      }
    },
    sweepNames: async () => {
      if (backfill.isDone) for (const each of unneeded) await each.sweep();
    },
    unkeep: (pattern, dryRun) => whenKnown(() => unkeepContents(shared, pattern, dryRun)),
  };
}
