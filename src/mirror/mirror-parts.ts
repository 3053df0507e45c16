/** Owns what a Mirror is made of, and what there is once it runs. Types only: start-mirror.ts puts the one together into the other. */
import type { FillFollower } from "../fill/fill-ask.ts";
import type { Fills } from "../fill/fills.ts";
import type { AskAnew } from "../fleet/knowledge/ask-anew.ts";
import type { SharedTurns } from "../fleet/turns.ts";
import type { ContentRemoval } from "../metadata/content-removal.ts";
import type { ContentRows } from "../metadata/content-rows.ts";
import type { DatabaseBound } from "../metadata/database-bound.ts";
import type { Metadata } from "../metadata/metadata.ts";
import type { RuleRows } from "../metadata/rule-rows.ts";
import type { SightingRows } from "../metadata/sighting-rows.ts";
import type { UnneededRows } from "../metadata/unneeded-rows.ts";
import type { Clock } from "../observe/clock.ts";
import type { Episodes } from "../observe/episodes.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Trouble } from "../observe/troubles.ts";
import type { Platform } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { Origin } from "../origin.ts";
import type { Records } from "../records/records.ts";
import type { NamePattern } from "../routing/name-pattern.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { PartialKey, Spool } from "../store/partial.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import type { Carrying } from "./carrying.ts";
import type { Contents } from "./contents/contents.ts";
import type { Mirror } from "./mirror.ts";
import type { Relaying } from "./relaying.ts";
import type { Cooldowns } from "./rules/cooldown.ts";
import type { PassageRule } from "./rules/local-rules.ts";
import type { Offline } from "./rules/offline.ts";
import type { PassageDesk } from "./rules/passage-desk.ts";
import type { Budget } from "./space/disk-measure.ts";

/** What makes this Mirror one of many. */
export type FleetPart = {
  readonly follower: FillFollower;
  /** The blob, from wherever the fleet has it; `own` is its upstream's. */
  readonly origin: (key: PartialKey, own: Origin) => Origin;
  readonly turns: SharedTurns;
  /** See Blobs; left out where no client is redirected. */
  readonly addressOf?: ((digest: Digest) => Promise<string | undefined>) | undefined;
  /** Tells the other nodes. Throws `fleet-unavailable`. */
  readonly tellAskAnew: (names: AskAnew) => Promise<void>;
  /** The fills of this Mirror. */
  readonly serve: (fills: Pick<Fills, "find">) => void;
  /** What is looked through, one after the other, for names that nothing needs any more. */
  readonly unneeded: readonly UnneededRows[];
};

export type MirrorParts = {
  readonly fleet?: FleetPart | undefined;
  readonly clients: readonly UpstreamClient[];
  readonly metadata: Metadata;
  readonly contents: ContentRows & ContentRemoval;
  /** How large the rows of `metadata` may become. */
  readonly bound: Pick<DatabaseBound, "spare" | "tooMuch">;
  readonly rules: RuleRows;
  readonly blobs: BlobStore;
  readonly spool: Spool;
  /** Makes what is missing of the folders that `blobs` and `spool` work in; see StorageGuard. */
  readonly makeFolders: () => Promise<string>;
  readonly budget: Budget;
  /** Keep rules of the settings. */
  readonly keep?: readonly NamePattern[];
  readonly sightings: SightingRows;
  /** What the settings say of what may pass; everything, and at once, when left out. */
  readonly passage?: PassagePart;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  readonly records: Records;
  /** Within which each stored blob is hashed again; 0 or nothing: never. */
  readonly verifyEveryMs?: number;
  /**
   * For one command over a directory that no server uses: nothing is put right, swept, watched or hashed by itself, so that only what the
   * command asks for changes anything.
   */
  readonly isAtRest?: boolean;
  /** What is exported of an index of which nothing is here; linux/amd64 when left out. */
  readonly host?: Platform;
};

export type PassagePart = {
  readonly rules: readonly PassageRule[];
  readonly cooldowns: Cooldowns;
};

/** A running Mirror, and what settings can change of it. */
export type StartedMirror = Mirror &
  Carrying & {
    readonly offline: Offline;
    readonly relaying: Relaying;
    /** All upstreams from now on; a client that is not among them any more is closed when no pull needs it. */
    renewUpstreams(clients: readonly UpstreamClient[]): void;
    renewBudget(budget: Budget): void;
    /** As `verifyEveryMs`. */
    renewVerifying(everyMs: number): void;
    renewPassage(passage: PassagePart): void;
    readonly passage: PassageDesk;
    readonly contents: Contents;
    /** What is wrong, for whoever sees something that is. */
    readonly troubles: Episodes<Trouble>;
    /** Whether a keep rule, or a Cooldown, keeps what the digest belongs to. */
    keeps(digest: Digest): Promise<boolean>;
    /** Somebody else has changed the rules that were made by command: all of them are read again. Throws what their rows throw. */
    rereadRules(): Promise<void>;
    /** Another node tells that what is known of these is to be asked of their registry anew. */
    askAnew(names: AskAnew): void;
    /** Keep rules of the settings from now on. */
    renewKeep(patterns: readonly NamePattern[]): void;
  };
