/**
 * Owns the look through a disk for blobs that the bucket does not have: from before this node was one of a fleet, or from when the others could not
 * be asked. It brings in nothing itself.
 */
import type { Metadata } from "../../metadata/metadata.ts";
import type { BucketRows } from "../upkeep/bucket-rows.ts";
import type { ShareStored } from "./share-stored.ts";

const PAGE = 500;

/** Never rejects: what cannot be asked now is looked at the next time. */
export async function shareAll(
  own: Pick<Metadata, "blobsAfter">,
  rows: Pick<BucketRows, "missing">,
  sharing: Pick<ShareStored, "addAll">,
): Promise<void> {
  for (let after = ""; ; ) {
    const page = await own.blobsAfter(after, PAGE).catch(() => []);
    const digests = page.map(({ digest }) => digest);
    sharing.addAll(await rows.missing(digests).catch(() => []));
    const last = digests.at(-1);
    if (last === undefined) return;
    after = last;
  }
}
