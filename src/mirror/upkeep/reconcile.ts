/**
 * Owns the agreement of disk and Metadata at boot: rows for blobs that have none (a lost database, a crash between rename and
 * row), none for blobs that are gone, and neither for a blob whose size is not what its row says. Nobody reads meanwhile, and nothing is
 * hashed: a file without a row is counted as one that nobody has verified, because its name is all that is known of it. A disk that
 * fails here keeps nobody from starting: what could be looked at is put right, and the rest is said.
 */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { Log } from "../../observe/log.ts";
import type { Digest } from "../../oci/digest.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { Spool } from "../../store/partial.ts";
import type { SoundBlobs } from "./sound-blobs.ts";

export type ReconcileParts = {
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly spool: Spool;
  readonly sound: SoundBlobs;
  readonly log: Log;
  /** Hears of `reconcile`, and when it is over. */
  readonly troubles: Episodes;
};

export async function reconcile(parts: ReconcileParts): Promise<void> {
  const failures = [
    await failureOf(() => reconcileBlobs(parts)),
    await failureOf(() => removeUseless(parts)),
  ];
  const reasons = failures.filter((reason) => reason !== undefined);
  if (reasons.length === 0) return parts.troubles.over("reconcile");
  const text = `Not all that lies in the store could be looked at (${reasons.join(" ")}): see to the disk, and that granary may read and write there, then restart it.`;
  parts.troubles.trouble("reconcile", {}, text);
}

/** What is no failure of the disk still ends the start. */
async function failureOf(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (isGranaryError(error, "closed")) throw error;
    return messageOf(error);
  }
}

async function reconcileBlobs({ metadata, blobs, sound, log }: ReconcileParts): Promise<void> {
  const rows = new Map((await metadata.allBlobs()).map((row) => [row.digest, row]));
  let registered = 0;
  const strangers: string[] = [];
  for await (const { digest, size, changedAt } of blobs.list((path) => strangers.push(path))) {
    const row = rows.get(digest);
    rows.delete(digest);
    if (row === undefined) {
      await metadata.recordBlob({ digest, size, usedAt: changedAt });
      registered += 1;
    } else if (row.size !== size) {
      await sound.drop(digest, `it has ${size} bytes and should have ${row.size}`);
    }
  }
  // Only now: a list that ended early would have made rows of what it did not come to.
  for (const digest of rows.keys()) await metadata.forgetBlob(digest);
  if (registered > 0 || rows.size > 0)
    log.info(
      { unverified: registered, forgotten: rows.size },
      "disk and metadata reconciled: what the database did not know is hashed before it is served",
    );
  if (strangers.length > 0) tellOf(strangers, log);
}

/** Somebody else's, and left alone: Granary follows no link and opens nothing that bears no digest. */
function tellOf(strangers: readonly string[], log: Log): void {
  const facts = { count: strangers.length, first: strangers[0] };
  log.warn(facts, "what lies among the blobs and is none is left alone, and counts against no budget");
}

/**
 * What no map claims cannot be resumed, and may lie there in full size after a crash. What an older Granary left without writing down
 * whose bytes they are can be nobody's.
 */
async function removeUseless({ spool, log }: ReconcileParts): Promise<void> {
  const reasons: string[] = [];
  let ownerless = 0;
  for (const partial of await spool.list()) {
    if (partial.present > 0 && partial.upstream !== undefined) continue;
    if (partial.upstream === undefined) ownerless += 1;
    await spool.remove(partial).catch((error: unknown) => reasons.push(messageOf(error)));
  }
  if (ownerless > 0)
    log.info(
      { removed: ownerless },
      "partial blobs of an older Granary removed: whose bytes they hold is not known",
    );
  if (reasons[0] !== undefined) throw new Error(reasons[0]);
}

/** Rows of blobs that are gone go too, while others are read and filled. Throws what Metadata and the store throw. */
export async function forgetAbsent(
  { metadata, blobs }: Pick<ReconcileParts, "metadata" | "blobs">,
  isFilled: (digest: Digest) => boolean,
): Promise<void> {
  for (const row of await metadata.allBlobs()) {
    if (isFilled(row.digest) || (await blobs.stat(row.digest)) !== undefined) continue;
    await metadata.forgetBlob(row.digest);
    // A fill may have brought it in between the look and the row.
    if ((await blobs.stat(row.digest)) !== undefined) await metadata.recordBlob(row);
  }
}
