/**
 * Owns the eviction of the bucket: one node of all, which holds the lease for it, dooms the coldest objects beyond the budget, and deletes what
 * has been doomed for so long that nobody can still be reading it. It must never delete what was used within that time (G9).
 */
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Bucket } from "../bucket.ts";
import type { Fleet, Lease, StoredObject } from "../fleet.ts";
import { BATCH } from "./batches.ts";
import { type BucketRows, JANITOR_LEASE } from "./bucket-rows.ts";
import { type SweptLeftovers, sweepLeftovers } from "./leftovers.ts";

export type BucketJanitorParts = {
  readonly bucket: Bucket;
  readonly rows: BucketRows;
  readonly fleet: Pick<Fleet, "acquire">;
  /** Whether a keep rule stands for what the digest belongs to: then it stays. Nothing is kept when left out. */
  readonly isKept?: ((digest: StoredObject["digest"]) => Promise<boolean>) | undefined;
  readonly clock: Clock;
  readonly log: Log;
};

/** What one round has done: numbers of objects and uploads, and bytes. */
export type JanitorRound = SweptLeftovers & {
  readonly doomed: number;
  readonly deleted: number;
  readonly deletedBytes: number;
};

/** Longer than any signed address lives, and than a node reads from the store without asking again. */
const GRACE_MS = 15 * 60_000;
/** Listing a large bucket takes thousands of requests. */
const LEFTOVERS_EVERY_MS = 6 * 3_600_000;

export class BucketJanitor {
  readonly #parts: BucketJanitorParts;
  #sweptAt: number | undefined;

  constructor(parts: BucketJanitorParts) {
    this.#parts = parts;
  }

  /**
   * One round: what is beyond `maxSize` bytes is doomed (Infinity: nothing), what was doomed before goes, and at times what nobody knows of.
   * undefined where another node has the lease. Throws `fleet-unavailable`; what was done until then is done.
   */
  async round(maxSize: number): Promise<JanitorRound | undefined> {
    const lease = await this.#parts.fleet.acquire(JANITOR_LEASE);
    if (lease === undefined) return undefined;
    try {
      const doomed = await this.#doom(maxSize, lease);
      const deleted = await this.#deleteDoomed(lease);
      const left = await this.#sweep(lease);
      const round = { doomed, ...deleted, ...left };
      if (Object.values(round).some((count) => count > 0))
        this.#parts.log.info(round, "the fleet's bucket was tidied");
      return round;
    } finally {
      await lease.release();
    }
  }

  async #doom(maxSize: number, lease: Lease): Promise<number> {
    const { rows } = this.#parts;
    const seen = new Set<StoredObject["digest"]>();
    let [doomed, excess] = [0, (await rows.bytes()) - maxSize];
    while (excess > 0 && !lease.lost.aborted) {
      const coldest = await rows.coldest(BATCH);
      const chosen: StoredObject[] = [];
      const kept: StoredObject[] = [];
      for (const object of coldest) {
        if (excess <= 0) break;
        const isKept = (await this.#parts.isKept?.(object.digest)) === true;
        (isKept ? kept : chosen).push(object);
        if (!isKept) excess -= object.size;
      }
      await rows.doom(chosen);
      doomed += chosen.length;
      // They count as used now: the next look finds others, unless all that is left is kept.
      await rows.revive(kept.map(({ digest }) => digest));
      if (
        coldest.length === 0 ||
        (kept.length === coldest.length && kept.some(({ digest }) => seen.has(digest)))
      )
        break;
      for (const { digest } of kept) seen.add(digest);
    }
    return doomed;
  }

  /** The row first: a kill between the two leaves an object that nobody knows of, and never a row without its object. */
  async #deleteDoomed(lease: Lease): Promise<{ deleted: number; deletedBytes: number }> {
    let [deleted, deletedBytes] = [0, 0];
    while (!lease.lost.aborted) {
      const taken = await this.#parts.rows.takeDoomed(GRACE_MS, BATCH);
      if (taken.length === 0) break;
      await this.#parts.bucket.remove(taken.map(({ objectKey }) => objectKey));
      deleted += taken.length;
      deletedBytes += taken.reduce((sum, { size }) => sum + size, 0);
    }
    return { deleted, deletedBytes };
  }

  async #sweep(lease: Lease): Promise<SweptLeftovers> {
    const { clock } = this.#parts;
    const isDue = this.#sweptAt === undefined || clock.elapsed() - this.#sweptAt >= LEFTOVERS_EVERY_MS;
    if (!isDue || lease.lost.aborted) return { leftObjects: 0, leftUploads: 0 };
    const swept = await sweepLeftovers(this.#parts, lease.lost);
    this.#sweptAt = clock.elapsed();
    return swept;
  }
}
