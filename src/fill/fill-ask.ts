/** Owns what a Fill is asked for, and what all Fills of a process share: the ports that they reach disk, network and records through. */
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
  /** Bytes; undefined where nobody states them: then the blob is read to its end once, by everybody who asks meanwhile. */
  readonly size: number | undefined;
  /** The upstream has said so itself: a running fill that goes by another size, which some document stated, gives way. */
  readonly isSizeSure?: boolean;
  /** One of the upstream's. */
  readonly origin: Origin;
  readonly policy: FillPolicy;
  /** Hears of the fill that begins with this ask; not of one that runs already. */
  readonly observer?: FillObserver;
};

/** All in bytes. */
export type FillProgress = {
  readonly present: number;
  /** Undefined as long as nobody knows. */
  readonly size: number | undefined;
};

/** A Fill knows a digest; whoever asks for it knows the name that people use, and can tell them how it goes. Calls must not throw. */
export interface FillObserver {
  /** Its partial is open, and bytes are asked for. Called again when it starts over from nothing. */
  begun(progress: () => FillProgress): void;
  /** It is over: committed when there is no failure. Called once, also for one that never began. */
  ended(failure: GranaryError | undefined): void;
}

export type FillSurroundings = {
  readonly spool: Spool;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Where trouble that repeats is said once. */
  readonly episodes: Episodes;
  readonly metrics: Metrics;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  /** Records a committed blob in Metadata. */
  readonly record: (digest: Digest, size: number) => Promise<void>;
  /** The room that is kept for this partial, for a blob of `size` bytes; the fill releases it when it has let go of the partial. */
  readonly takeRoom: (of: PartialKey, size: number) => Room;
  /** Nobody evicts the digest before the returned release is called: a fill does that when it leaves the map (F12). */
  readonly pin: (digest: Digest) => () => void;
};
