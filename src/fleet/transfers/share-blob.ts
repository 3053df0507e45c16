/** Owns how a verified blob of this disk becomes one of the fleet's: whole into the bucket, then known, under one lease (G5). */
import { RangeSet } from "../../bytes/range-set.ts";
import { isGranaryError } from "../../errors.ts";
import type { StoredBlob } from "../../store/blob-store.ts";
import { sleep } from "../../waiting/sleep.ts";
import type { Lease, StoredObject } from "../fleet.ts";
import type { TransferParts } from "./transfer-parts.ts";
import { UploadBehind } from "./upload-behind.ts";

/** A commit whose answer was lost is asked again: the answer is the same. */
const COMMITS = 4;
const AGAIN_MS = 500;

export type Shared = {
  readonly stored: StoredBlob;
  readonly lease: Lease;
  /** What of it is in the bucket already; a new one uploads all of it. */
  readonly upload?: UploadBehind | undefined;
  /** Objects that are of no use once the blob is known. */
  readonly leftovers?: readonly string[];
  /** Makes room for the row, right before it is written. */
  readonly before?: () => Promise<void>;
};

/** An upload of all of `stored`. */
export function uploadOf(stored: StoredBlob, lease: Lease, parts: TransferParts): UploadBehind {
  const { digest, size } = stored;
  const present = RangeSet.of([{ start: 0, end: size }]);
  return new UploadBehind({ digest, size, present, read: (at, into) => stored.read(at, into) }, lease, parts);
}

/** False when the lease was lost on the way: somebody else sees to it. Throws `fleet-unavailable` and what reading throws. */
export async function shareBlob(shared: Shared, parts: TransferParts): Promise<boolean> {
  const { stored, lease, upload = uploadOf(stored, lease, parts), leftovers = [] } = shared;
  const { digest, size } = stored;
  if (!(await upload.finish((at, into) => stored.read(at, into)))) return false;
  await shared.before?.();
  const { objectKey } = upload;
  const isKnown = await committed(lease, { digest, size, objectKey }, parts);
  const unneeded = isKnown ? leftovers : [objectKey, ...leftovers];
  if (unneeded.length > 0) await parts.bucket.remove(unneeded);
  return true;
}

async function committed(
  lease: Lease,
  object: Omit<StoredObject, "epoch">,
  { clock }: TransferParts,
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      return await lease.commit(object);
    } catch (error) {
      // Nobody knows whether it was done: the object must stay.
      if (tries === COMMITS || !isGranaryError(error, "fleet-unavailable")) throw error;
      await sleep(AGAIN_MS, clock);
    }
  }
}
