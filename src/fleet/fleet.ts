/**
 * Owns the Fleet port: who of many Granaries brings what, and where a blob lies that one of them has brought. What it says is one database's
 * word, by that database's clock alone. It moves no bytes, and knows neither upstreams nor disks.
 */
import type { Digest } from "../oci/digest.ts";

/** Counts up with every lease that is given, fleet-wide and for ever: what an older epoch says or writes is never taken for the newer one's. */
export type Epoch = number;

/** One node at this moment, as its last heartbeat told it. */
export type Member = {
  /** Its name, the same after a restart. */
  readonly node: string;
  /** Where its internal listener is, as `http(s)://HOST:PORT`. */
  readonly address: string;
  readonly zone: string | undefined;
  /** The version of its Granary. */
  readonly version: string;
  /** Its heartbeat has not expired. */
  readonly isLive: boolean;
  /** Milliseconds since its last heartbeat, by the database's clock. */
  readonly silentMs: number;
  /** What it says of itself for people to see; at most a few KiB, and never a secret. */
  readonly told: Readonly<Record<string, unknown>>;
};

/** Who has a lease, while its heartbeat lives. */
export type Holder = Pick<Member, "node" | "address"> & {
  readonly epoch: Epoch;
  /** It is this node, in this process. */
  readonly isMe: boolean;
};

/** A complete, verified object of the bucket. */
export type StoredObject = {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Its key in the bucket. */
  readonly objectKey: string;
  readonly epoch: Epoch;
};

export type Standing =
  | { readonly is: "stored"; readonly object: StoredObject }
  | { readonly is: "held"; readonly holder: Holder }
  | { readonly is: "free" };

/** An upload that was begun under a lease. `uploadId` is undefined for an object that is written in one piece. */
export type Upload = { readonly objectKey: string; readonly uploadId: string | undefined };

export type Left = { readonly node: string; readonly epoch: Epoch; readonly upload: Upload | undefined };

/** The right to do one thing for the whole fleet, as long as this node's heartbeat lives. */
export interface Lease {
  readonly key: string;
  readonly epoch: Epoch;
  /** Who had it before and did not finish, because it died, was cut off or parked it; with what it had begun to upload. */
  readonly left: Left | undefined;
  /**
   * Aborted half a second before others may take the lease over, by this process's own monotonic clock, when it was released, and when the
   * database says that somebody else has it. From then on nothing may be done in its name (G2, G13).
   */
  readonly lost: AbortSignal;
  /**
   * To be looked at in the same tick before anything is done in its name: false from that moment on, by the clock itself. In a process that was
   * stopped or slept, `lost` may be aborted only after other code has run; when this finds the time over, it is aborted at once.
   */
  readonly isMine: boolean;
  /** Written down, so that a successor can salvage the parts. Throws `closed` when the lease is lost, `fleet-unavailable`. */
  noteUpload(upload: Upload): Promise<void>;
  /**
   * In one transaction: the object becomes known, and the lease ends. False when another object of the digest is known already (the caller then
   * deletes its own), or the lease was somebody else's by then. The object must be complete and its digest verified (G5). Throws `fleet-unavailable`:
   * then the object may be known or not, and must not be deleted; it may be asked again, also when the lease was lost meanwhile.
   */
  commit(object: Omit<StoredObject, "epoch">): Promise<boolean>;
  /** As `release`; what was uploaded stays written down for whoever acquires it next (`left`). */
  park(): Promise<void>;
  /** Ends it; `lost` is aborted at once. Idempotent. Never rejects: what cannot be said now ends with the heartbeat. */
  release(): Promise<void>;
}

/**
 * Every question throws `fleet-unavailable` when the database does not answer within a few seconds, and at once while it is known not to
 * answer (`isAnswering`).
 */
export interface Fleet {
  /** This node's name. */
  readonly node: string;
  /** False while the database does not answer: each node then goes on alone. */
  readonly isAnswering: boolean;
  /** Hears when `isAnswering` changes. Returns how to stop. */
  onAnswering(listener: (isAnswering: boolean) => void): () => void;
  /** One query: whether the blob is stored, and if not, who holds `key`. A stored object that is about to be deleted is revived by the question. */
  resolve(digest: Digest, key: string): Promise<Standing>;
  /** Who holds `key`; undefined when nobody does, or its heartbeat has expired. */
  holder(key: string): Promise<Holder | undefined>;
  /** undefined while somebody has it, this node included. One statement decides (G1). */
  acquire(key: string): Promise<Lease | undefined>;
  /** The object was not where its row says, or its bytes were wrong: the row goes, if it is still of that epoch. */
  forget(object: StoredObject): Promise<void>;
  /** Those that were heard of within the last hour, in the order of their names. */
  members(): Promise<readonly Member[]>;
  /** Leases that are held now, with their holders; at most `limit`. */
  leases(
    limit: number,
  ): Promise<readonly { readonly key: string; readonly holder: Holder; readonly heldMs: number }[]>;
  /** Releases every lease, takes the node off the list, and closes the connections. */
  close(): Promise<void>;
}

/** The lease under which a blob is brought. Bytes that are not verified yet are never shared between upstreams. */
export function blobLease(upstream: string, digest: Digest): string {
  return `blob\n${upstream}\n${digest}`;
}
