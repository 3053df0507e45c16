/**
 * Owns what lies in the bucket and nobody knows of: objects without a row, and uploads without a lease, as kills leave them. They go when they
 * are older than a day. It must never empty the bucket of a fleet whose database was lost: that one has no rows, and every object is unknown.
 */
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Bucket } from "../bucket.ts";
import { BLOB_KEYS, CHECK_KEYS } from "../object-key.ts";
import { inBatches } from "./batches.ts";
import type { BucketRows } from "./bucket-rows.ts";

export type SweptLeftovers = { readonly leftObjects: number; readonly leftUploads: number };

export type LeftoverParts = {
  readonly bucket: Bucket;
  readonly rows: Pick<BucketRows, "known">;
  readonly clock: Clock;
  readonly log: Log;
};

/** By two clocks, the store's and ours; a fill of a day is rare, and its upload is noted in its lease. */
const OLD_MS = 86_400_000;
/** In one sweep; the next one goes on. */
const MOST_LEFT = 10_000;
/** Kills leave fewer. When more are unknown than known, it is the database that has lost something. */
const FEW = 10;

/** Deletes what is left over; none of it once `signal` is aborted. Throws `fleet-unavailable`. */
export async function sweepLeftovers(parts: LeftoverParts, signal: AbortSignal): Promise<SweptLeftovers> {
  const leftUploads = await abortUploads(parts, signal);
  const { left, known } = await findObjects(parts, signal);
  const checks = await oldChecks(parts);
  if (left.length > 0 && (known === 0 || left.length > Math.max(FEW, known))) {
    const facts = { unknown: left.length, known };
    parts.log.warn(
      facts,
      "most objects of the fleet's bucket have no row in its database: they are kept, until it is rebuilt from the bucket",
    );
    return { leftObjects: 0, leftUploads };
  }
  const gone = [...left, ...checks];
  if (signal.aborted || gone.length === 0) return { leftObjects: 0, leftUploads };
  await parts.bucket.remove(gone);
  return { leftObjects: gone.length, leftUploads };
}

async function findObjects({ bucket, rows, clock }: LeftoverParts, signal: AbortSignal) {
  const left: string[] = [];
  let known = 0;
  const old = oldOf(bucket.list(BLOB_KEYS), clock, ({ changedAt }) => changedAt);
  for await (const objects of inBatches(old)) {
    const keys = objects.map(({ key }) => key);
    const staying = await rows.known(keys);
    known += staying.size;
    left.push(...keys.filter((key) => !staying.has(key)));
    if (left.length >= MOST_LEFT || signal.aborted) break;
  }
  return { left: left.slice(0, MOST_LEFT), known };
}

async function abortUploads({ bucket, rows, clock }: LeftoverParts, signal: AbortSignal): Promise<number> {
  let aborted = 0;
  const old = oldOf(bucket.uploads(BLOB_KEYS), clock, ({ begunAt }) => begunAt);
  for await (const uploads of inBatches(old)) {
    const staying = await rows.known(uploads.map(({ key }) => key));
    for (const { key, uploadId } of uploads) {
      if (staying.has(key)) continue;
      if (signal.aborted) return aborted;
      await bucket.abort(key, uploadId);
      aborted++;
    }
  }
  return aborted;
}

/** What the check of a node that was killed has written. */
async function oldChecks({ bucket, clock }: LeftoverParts): Promise<readonly string[]> {
  for await (const checks of inBatches(oldOf(bucket.list(CHECK_KEYS), clock, ({ changedAt }) => changedAt))) {
    return checks.map(({ key }) => key);
  }
  return [];
}

/** Those of `items` that are older than a day. */
async function* oldOf<T>(
  items: AsyncIterable<T>,
  clock: Clock,
  since: (item: T) => number,
): AsyncGenerator<T, void, undefined> {
  for await (const item of items) {
    if (clock.now() - since(item) > OLD_MS) yield item;
  }
}
