/** Owns what all transfers of one node share: the ports to the fleet, its bucket and its other nodes, and what is here already. */
import type { FollowedFill } from "../../fill/fill-ask.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { Log } from "../../observe/log.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { Semaphore } from "../../waiting/semaphore.ts";
import type { Bucket } from "../bucket.ts";
import type { Fleet } from "../fleet.ts";
import type { Peers } from "../peers/peers.ts";

export type TransferParts = {
  readonly fleet: Fleet;
  readonly bucket: Bucket;
  readonly peers: Peers;
  /** The blobs of this node's disk. */
  readonly blobs: Pick<BlobStore, "open">;
  /** Parts that are on their way to the bucket at one moment, of all transfers: each is in memory as a whole. */
  readonly uploads: Semaphore;
  readonly clock: Clock;
  readonly log: Log;
  readonly episodes: Episodes;
  readonly metrics: Metrics;
};

/** Bytes of one blob that can be read back: of a running fill, or of the store. */
export type ReadableBytes = Pick<FollowedFill, "read">;
