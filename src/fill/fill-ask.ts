/** Owns what a Fill is asked for, and what all Fills of a process share: the ports to the disk, the network and the metadata. */
import type { RangeSet } from "../bytes/range-set.ts";
import type { GranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import type { Episodes } from "../observe/episodes.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Digest } from "../oci/digest.ts";
import type { Origin } from "../origin.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { PartialKey, Spool } from "../store/partial.ts";
import type { FillPolicy } from "./fill-policy.ts";
import type { Room } from "./room.ts";

export type FillAsk = PartialKey & {
  /** Bytes; undefined when nobody states the size: the blob is then read once to its end, for everybody who asks meanwhile. */
  readonly size: number | undefined;
  /** The upstream itself has stated the size. A running fill that has another size, from some document, is replaced. */
  readonly isSizeSure?: boolean;
  /** An origin of this upstream. */
  readonly origin: Origin;
  readonly policy: FillPolicy;
  /** Told about the fill if this ask starts it; not about one that runs already. */
  readonly observer?: FillObserver;
};

/** All in bytes. */
export type FillProgress = {
  readonly present: number;
  /** Undefined as long as nobody knows. */
  readonly size: number | undefined;
};

/** Told how a fill goes. A Fill knows only a digest; the caller knows the name that people use, and can log it. Calls must not throw. */
export interface FillObserver {
  /** Its partial is open, and bytes are asked for. Called again when it starts over from nothing. */
  begun(progress: () => FillProgress): void;
  /** The fill is over: committed when there is no failure. Called once, even if `begun` never was. */
  ended(failure: GranaryError | undefined): void;
}

/** A fill as somebody sees it who brings its bytes elsewhere: into the bucket of a fleet, to its other nodes. */
export type FollowedFill = PartialKey & {
  /** Bytes; undefined where nobody states them. */
  readonly size: number | undefined;
  /** The bytes that are there, and are not verified yet. Live. */
  readonly present: RangeSet;
  /** Reads at most `into.length` bytes that are present; returns how many. Throws when the fill has let go of its file. */
  read(offset: number, into: Uint8Array): Promise<number>;
};

/** Hears how every fill goes, so that its bytes can follow elsewhere behind it. No fill waits for that. Calls must not throw. */
export interface FillFollower {
  /** Its partial is open, and bytes are asked for after this. Called again when it starts over from nothing. */
  begun(fill: FollowedFill): void;
  /** More bytes are present. */
  grown(fill: PartialKey): void;
  /** The fill is over. After "committed" the store has the blob. */
  ended(fill: PartialKey, how: "committed" | "paused" | "stalled" | "rejected"): void;
}

export type FillSurroundings = {
  /** Only in a fleet. */
  readonly follower?: FillFollower | undefined;
  readonly spool: Spool;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Logs trouble that repeats only once. */
  readonly episodes: Episodes;
  readonly metrics: Metrics;
  /** A number in [0, 1), to spread retries. */
  readonly random: () => number;
  /** True for an upstream that a person has set offline: what is fetched from it in advance waits. */
  readonly isOffline?: (upstream: string) => boolean;
  /** Records a committed blob in Metadata. */
  readonly record: (digest: Digest, size: number) => Promise<void>;
  /** Reserves room for this partial of a blob of `size` bytes; the fill releases it when it has closed the partial. */
  readonly takeRoom: (of: PartialKey, size: number) => Room;
  /** Nobody evicts the digest before the returned release is called: a fill does that when it leaves the map (F12). */
  readonly pin: (digest: Digest) => () => void;
};
