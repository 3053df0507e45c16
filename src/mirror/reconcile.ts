/**
 * Owns the agreement of disk and Metadata at boot: rows for blobs that have none (a lost database, a crash between rename and
 * row), none for blobs that are gone, and neither for a blob whose size is not what its row says. Nobody reads meanwhile.
 */
import type { Metadata } from "../metadata/metadata.ts";
import type { Log } from "../observe/log.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { Spool } from "../store/partial.ts";
import type { SoundBlobs } from "./sound-blobs.ts";

export type ReconcileParts = {
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly spool: Spool;
  readonly sound: SoundBlobs;
  readonly log: Log;
};

export async function reconcile({ metadata, blobs, spool, sound, log }: ReconcileParts): Promise<void> {
  const rows = new Map((await metadata.allBlobs()).map((row) => [row.digest, row]));
  let registered = 0;
  for await (const { digest, size, changedAt } of blobs.list()) {
    const row = rows.get(digest);
    rows.delete(digest);
    if (row === undefined) {
      await metadata.recordBlob({ digest, size, usedAt: changedAt });
      registered += 1;
    } else if (row.size !== size) {
      await sound.drop(digest, `it has ${size} bytes and should have ${row.size}`);
    }
  }
  for (const digest of rows.keys()) await metadata.forgetBlob(digest);
  if (registered > 0 || rows.size > 0)
    log.info({ registered, forgotten: rows.size }, "disk and metadata reconciled");
  // What no map claims cannot be resumed, and may lie there in full size after a crash.
  for (const { digest, present } of await spool.list()) if (present === 0) await spool.remove(digest);
}
