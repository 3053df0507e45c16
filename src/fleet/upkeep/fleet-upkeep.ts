/**
 * Owns the regular work for a whole fleet, which one of its nodes does: the bucket keeps its budget, what has left goes from it, old news and dead
 * nodes go from the database, and a database that was lost is filled from the bucket. It must not fail: what cannot be done is done with the next round.
 */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { ContentRemoval } from "../../metadata/content-removal.ts";
import type { Bucket } from "../bucket.ts";
import { BLOB_KEYS } from "../object-key.ts";
import { BucketJanitor, type BucketJanitorParts } from "./bucket-janitor.ts";
import { rebuildRows } from "./rebuild.ts";

export type FleetUpkeepParts = BucketJanitorParts & {
  /** Bytes that the bucket may hold. */
  readonly maxSize: number;
  /** Digests of names that have left. */
  readonly leaving: Pick<ContentRemoval, "stillLeaving" | "haveLeft">;
  /** What the database need not keep any more. */
  readonly prune: () => Promise<void>;
};

const PAGE = 500;

export class FleetUpkeep {
  readonly #parts: FleetUpkeepParts;
  readonly #janitor: BucketJanitor;

  constructor(parts: FleetUpkeepParts) {
    this.#parts = parts;
    this.#janitor = new BucketJanitor(parts);
  }

  /** Never rejects. */
  async round(): Promise<void> {
    try {
      await this.#rebuildIfLost();
      await this.#letLeave();
      await this.#janitor.round(this.#parts.maxSize);
      await this.#parts.prune();
    } catch (error) {
      if (isGranaryError(error, "fleet-unavailable", "closed", "aborted")) return;
      this.#parts.log.error(
        { reason: messageOf(error) },
        "the upkeep of the fleet failed: it is tried again in a minute",
      );
    }
  }

  /** A database without a row over a bucket with objects is a new one: that of a fleet which is new has an empty bucket. */
  async #rebuildIfLost(): Promise<void> {
    const { rows, bucket, log } = this.#parts;
    if (!(await rows.isEmpty()) || (await isWithoutBlobs(bucket))) return;
    const rebuilt = await rebuildRows(this.#parts);
    if (rebuilt !== undefined)
      log.warn(
        rebuilt,
        "the database of the fleet knew no blob, and its bucket has some: its rows were made anew from the bucket",
      );
  }

  /** A row for them may have come back meanwhile: a link of any repository keeps an object. */
  async #letLeave(): Promise<void> {
    const { leaving, rows } = this.#parts;
    for (
      let page = await leaving.stillLeaving("", PAGE);
      page.length > 0;
      page = await leaving.stillLeaving("", PAGE)
    ) {
      await rows.doomUnneeded(page);
      await leaving.haveLeft(page);
    }
  }
}

async function isWithoutBlobs(bucket: Bucket): Promise<boolean> {
  for await (const _ of bucket.list(BLOB_KEYS)) return false;
  return true;
}
