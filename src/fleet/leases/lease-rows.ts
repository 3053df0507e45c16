/**
 * Owns the port LeaseRows: the few statements about leases and heartbeats that one database does, each of them whole or not at all, by its own
 * clock. It decides nothing about this process: what a node may still do is node-fleet.ts's matter.
 */
import type { Digest } from "../../oci/digest.ts";
import type { Epoch, Left, Member, StoredObject, Upload } from "../fleet.ts";

/** One process of one node. A node that is started again has the same name and another incarnation. */
export type NodeProcess = { readonly node: string; readonly incarnation: string };

/** Rows of this process that it knows nothing of go: those up to the epoch `upTo` that are not in `keep`. */
export type Tidying = { readonly upTo: Epoch; readonly keep: readonly Epoch[] };

export type Beat = NodeProcess &
  Pick<Member, "address" | "zone" | "version" | "told"> & {
    /** For how long this heartbeat counts, from the moment when the database hears it. */
    readonly lifetimeMs: number;
    /**
     * The process takes its row for one that lives: then a row that is gone is not written anew. So it hears of a database that was made anew
     * for certain, even if one answer is lost.
     */
    readonly isRenewal: boolean;
    readonly tidying: Tidying | undefined;
  };

export type HeardBeat = {
  /**
   * What the database knew of this name before. `live`: this process, not expired. `gone`: nobody, or one whose heartbeat had expired, be it
   * this process's own. `taken`: another process has the name, and its heartbeat lives; then nothing was written.
   */
  readonly was: "live" | "gone" | "taken";
  /** The last one that the database had given to anybody. */
  readonly epoch: Epoch;
  /** Upstreams that are not to be asked for so long. */
  readonly pauses: readonly { readonly upstream: string; readonly forMs: number }[];
};

/** Who has a lease, as the database has it; its heartbeat lives. */
export type HolderRow = NodeProcess & { readonly address: string; readonly epoch: Epoch };

/** A lease that was just given. */
export type GivenLease = {
  readonly epoch: Epoch;
  /** Who had it before, where that one parked it or left without an end, and what it had noted. */
  readonly left: Left | undefined;
};

/** What a lease is told apart by. */
export type LeaseName = NodeProcess & { readonly key: string; readonly epoch: Epoch };

/**
 * All methods throw `fleet-unavailable` when the database does not answer within a few seconds, and at once while it is known not to answer.
 * Whoever hears that does not know whether the statement was done: each may be done late, or again.
 */
export interface LeaseRows {
  /** False while the database does not answer. */
  readonly isAnswering: boolean;
  /** Hears when `isAnswering` changes. Returns how to stop. */
  onAnswering(listener: (isAnswering: boolean) => void): () => void;
  /** Writes the heartbeat, unless another living process has the name. */
  beat(beat: Beat): Promise<HeardBeat>;
  /** undefined while a process whose heartbeat lives has the key, this one included, and when the heartbeat of this one has expired. */
  acquire(key: string, by: NodeProcess): Promise<GivenLease | undefined>;
  holder(key: string): Promise<HolderRow | undefined>;
  /** The object, touched and revived; else the holder of `key`; else nothing. */
  resolve(
    digest: Digest,
    key: string,
  ): Promise<{ readonly object?: StoredObject; readonly holder?: HolderRow }>;
  /** False when the lease is not there any more. */
  noteUpload(lease: LeaseName, upload: Upload): Promise<boolean>;
  /**
   * Ends the lease, and if it was there, makes the object known unless another one is known (which is revived). Whether the object with the
   * epoch of this lease is the known one now: so the answer is the same when it is asked again.
   */
  commit(lease: LeaseName, object: Omit<StoredObject, "epoch">): Promise<boolean>;
  /** Ends the lease if it is still this one. */
  release(lease: LeaseName): Promise<void>;
  /** Ends the lease if it is still this one: nobody has it, and its row stays with what was noted, for `left` of the next one. */
  park(lease: LeaseName): Promise<void>;
  /** Ends every lease of the process and takes its node off the list, if it is still this process's. */
  leave(by: NodeProcess): Promise<void>;
  /** Those that were heard of within the last hour, in the order of their names. */
  members(): Promise<readonly Member[]>;
  /** Leases of those whose heartbeat lives, the oldest first. */
  leases(
    limit: number,
  ): Promise<readonly { readonly key: string; readonly holder: HolderRow; readonly heldMs: number }[]>;
  /** The row of the object goes, if it is still of that epoch. */
  forget(object: StoredObject): Promise<void>;
  /** The upstream is not to be asked for `forMs`, by any node. A longer pause stays. */
  pause(upstream: string, forMs: number): Promise<void>;
  /**
   * Every epoch from now on is greater than `above`, and than the milliseconds of the database's date: fewer than a thousand leases are given
   * in a second over the years, so that a database that was made anew or brought back from a copy does not give epochs again.
   */
  raiseEpochs(above: Epoch): Promise<void>;
  /** Nodes that have been silent for a day go, and what such ones still have. Their uploads are nobody's then. */
  clearOld(): Promise<void>;
  /** Closes the connections. */
  close(): Promise<void>;
}
