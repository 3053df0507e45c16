/** Owns what the tests of the upkeep work on: a bucket, its rows and one lease, in memory, by one clock. */
import type { Fleet, Lease, StoredObject } from "../../../src/fleet/fleet.ts";
import { objectKeyOf } from "../../../src/fleet/object-key.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { MemoryBucket } from "../../support/memory-bucket.ts";
import { MemoryBucketRows } from "../../support/memory-bucket-rows.ts";

export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;

export class UpkeepWorld {
  readonly clock = new FakeClock();
  readonly bucket = new MemoryBucket(this.clock);
  readonly rows = new MemoryBucketRows(this.clock);
  readonly log = silentLog;
  readonly lost = new AbortController();
  /** Another node has the lease. */
  isHeldElsewhere = false;
  /** How many hold the lease now. */
  holders = 0;
  readonly fleet: Pick<Fleet, "acquire"> = { acquire: async (key) => this.#acquire(key) };

  /** An object with a row, of `size` bytes; the number names its content. */
  async stored(content: number, size: number, epoch = content): Promise<StoredObject> {
    const object = await this.written(content, size, epoch);
    await this.rows.restore([object]);
    return object;
  }

  /** An object without a row. */
  async written(content: number, size: number, epoch = content): Promise<StoredObject> {
    const digest = digestOf(Buffer.from(`content ${content}`));
    const object = { digest, size, epoch, objectKey: objectKeyOf(digest, epoch) };
    await this.bucket.put(object.objectKey, new Uint8Array(size));
    return object;
  }

  async #acquire(key: string): Promise<Lease | undefined> {
    if (this.isHeldElsewhere || this.holders > 0) return undefined;
    this.holders++;
    return {
      key,
      epoch: 1_000,
      left: undefined,
      isMine: true,
      lost: this.lost.signal,
      noteUpload: async () => undefined,
      commit: async () => false,
      park: async () => undefined,
      release: async () => {
        this.holders = 0;
      },
    };
  }
}
