/**
 * Owns the way back of a database that was lost: rows are made of what the bucket lists, because each key names its digest. Nothing is read or
 * hashed here: a row says where to look, and every node verifies what it reads (G8). It must never touch an object.
 */
import { GranaryError } from "../../errors.ts";
import type { Bucket } from "../bucket.ts";
import type { Fleet, StoredObject } from "../fleet.ts";
import { BLOB_KEYS, parseObjectKey } from "../object-key.ts";
import { inBatches } from "./batches.ts";
import { type BucketRows, JANITOR_LEASE } from "./bucket-rows.ts";

export type RebuildParts = {
  readonly bucket: Bucket;
  readonly rows: BucketRows;
  readonly fleet: Pick<Fleet, "acquire">;
};

/** `found`: digests in the bucket. `restored`: those that had no row. `bytes`: of all that was found. */
export type Rebuilt = { readonly found: number; readonly restored: number; readonly bytes: number };

/**
 * Makes the missing rows. Of several objects of a digest the one of the highest epoch counts: older ones were left behind. undefined where another
 * node is at it, or tidies the bucket. Throws `fleet-unavailable`, and `aborted` when the lease is lost meanwhile; it can be run again at any time.
 */
export async function rebuildRows({ bucket, rows, fleet }: RebuildParts): Promise<Rebuilt | undefined> {
  const lease = await fleet.acquire(JANITOR_LEASE);
  if (lease === undefined) return undefined;
  try {
    // First of all: a node that fills a blob meanwhile must not write a key that is there already (G6).
    await rows.raiseEpochs(await lastEpochOf(bucket));
    let [found, restored, bytes] = [0, 0, 0];
    for await (const objects of inBatches(newestObjects(bucket))) {
      if (lease.lost.aborted) throw lostError();
      restored += await rows.restore(objects);
      found += objects.length;
      bytes += objects.reduce((sum, { size }) => sum + size, 0);
    }
    return { found, restored, bytes };
  } finally {
    await lease.release();
  }
}

/** The last object of each digest: those of one stand together in a list, because they differ in the end of their keys alone. */
async function* newestObjects(bucket: Bucket): AsyncGenerator<StoredObject, void, undefined> {
  let newest: StoredObject | undefined;
  for await (const { key, size } of bucket.list(BLOB_KEYS)) {
    const parsed = parseObjectKey(key);
    if (parsed === undefined) continue;
    const object = { ...parsed, size, objectKey: key };
    if (newest !== undefined && newest.digest !== object.digest) yield newest;
    if (newest?.digest !== object.digest || newest.epoch < object.epoch) newest = object;
  }
  if (newest !== undefined) yield newest;
}

/** Over the keys of objects, and of uploads that are not complete. */
async function lastEpochOf(bucket: Bucket): Promise<number> {
  let last = 0;
  for (const listed of [bucket.list(BLOB_KEYS), bucket.uploads(BLOB_KEYS)]) {
    for await (const { key } of listed) last = Math.max(last, parseObjectKey(key)?.epoch ?? 0);
  }
  return last;
}

function lostError(): GranaryError {
  return new GranaryError(
    "aborted",
    "The rows of the fleet's bucket were not all made anew, because this node lost touch with the database: run it again.",
  );
}
