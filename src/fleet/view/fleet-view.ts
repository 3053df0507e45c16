/** Owns the FleetView port: what people are shown of a whole fleet, as one of its nodes knows it. It changes nothing, and tells no secret. */
import type { Digest } from "../../oci/digest.ts";
import type { Member } from "../fleet.ts";

/** What a node tells of itself for people to see. One of another version may leave out any of it. */
export type NodeState = {
  /** Transfers that run there, from wherever their bytes come. */
  readonly fills: number;
  /** Bytes of whole blobs on its disk. */
  readonly stored: number;
  /** Bytes that it may keep there. */
  readonly budget: number;
  /** Bytes per second to its clients, over the last few seconds. */
  readonly served: number;
  /** Blobs on its disk that are on their way to the bucket, or wait for it. */
  readonly unshared: number;
};

export type ShownNode = Omit<Member, "told"> & {
  /** It is the node that was asked. */
  readonly isMe: boolean;
  readonly state: Partial<NodeState>;
};

/**
 * What a lease is for. fill: a blob is brought from its upstream. share: a blob that a node has anyway is put into the bucket. tag: an upstream is
 * asked where a tag points. janitor: the bucket is tidied. schedule: what is to be done once for all at its time, such as a warm-up, is begun.
 */
export const LEASE_KINDS = ["fill", "share", "tag", "janitor", "schedule", "other"] as const;

export type ShownLease = {
  readonly kind: (typeof LEASE_KINDS)[number];
  /** Who has it. */
  readonly node: string;
  readonly isMe: boolean;
  readonly heldMs: number;
  readonly upstream?: string;
  /** Of a blob: one that lists it, where this node knows one. */
  readonly repository?: string;
  readonly tag?: string;
  readonly digest?: Digest;
  /** Of another kind of lease: its key. */
  readonly key?: string;
};

/** Objects that the fleet knows of, and what of them is to be deleted soon. */
export type BucketUse = {
  readonly objects: number;
  /** Bytes. */
  readonly bytes: number;
  readonly doomedObjects: number;
  /** Bytes; they are no part of `bytes`. */
  readonly doomedBytes: number;
};

/** Whether the fleet's database answers this node, and since when (epoch ms). */
export type DatabaseState = { readonly isAnswering: boolean; readonly since: number };

export type FleetBrief = {
  /** The node that was asked. */
  readonly node: string;
  /** How many there are, and how many of them live; as they were known last. */
  readonly nodes: number;
  readonly live: number;
  readonly database: DatabaseState;
};

export type FleetSight = {
  readonly node: string;
  /** When the database told of nodes and leases (epoch ms): now, unless it does not answer. undefined: it never did. */
  readonly seenAt: number | undefined;
  /** In the order of their names. */
  readonly nodes: readonly ShownNode[];
  /** The ones that are held for longest, first; a thousand at most. */
  readonly leases: readonly ShownLease[];
  /** undefined while it is not known. `limit` is in bytes; undefined: there is none. */
  readonly bucket: (BucketUse & { readonly limit: number | undefined; readonly seenAt: number }) | undefined;
  readonly database: DatabaseState;
  /** Blobs on this node's disk that are not in the bucket yet. */
  readonly unshared: number;
};

export interface FleetView {
  /** Takes a second at most: what the database does not tell by then is as it was known before. Never rejects because of it. */
  look(): Promise<FleetSight>;
  /** Only the nodes, as fast. */
  nodes(): Promise<Pick<FleetSight, "node" | "seenAt" | "nodes">>;
  /** The same in a few words, for who asks each second; takes a quarter of a second at most. */
  brief(): Promise<FleetBrief>;
}
