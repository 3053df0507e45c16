/**
 * Owns the step that verifies blobs: each is hashed where its file is there, and its row is repaired where it is not. A blob that is read or
 * filled meanwhile is left alone, and nothing is fetched.
 */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ListedBlob, StoredBlob, Verification } from "../../store/blob-store.ts";
import { type Item, inventory } from "./inventory.ts";
import { checkAborted, isMeant, repaired, type VerifyRun } from "./verify-run.ts";

const TOLD_EVERY_MS = 500;

/** One after another: more at once would be slower for a hard disk, and there is one thread for hashing. */
export async function verifyBlobs(work: VerifyRun): Promise<void> {
  const { metadata, store: blobs } = work;
  const listening = {
    onStranger: (path: string) => work.found("stranger", path),
    onFailure: (error: unknown) => work.found("unreadable", "blobs", { reason: messageOf(error) }),
  };
  const { from, isMeant: meant } = work.options;
  // What is no blob was told by the run that began, and belongs to no name.
  const isTelling = from === undefined && meant === undefined;
  const heard = isTelling ? listening : { ...listening, onStranger: () => undefined };
  for await (const item of inventory({ metadata, blobs }, heard, from?.after)) {
    checkAborted(work.options.signal);
    if (!isMeant(work, item.digest)) continue;
    if (item.file === undefined) await findMissing(work, item.digest);
    else await verifyPinned(work, item, item.file);
    work.place(item.digest);
  }
}

async function verifyPinned(work: VerifyRun, item: Item, { size }: ListedBlob): Promise<void> {
  const before = work.done;
  const release = work.pins.pin(item.digest);
  try {
    await verifyBlob(work, item);
  } finally {
    release();
  }
  work.done = before + size;
  work.options.onProgress?.({ done: work.done, total: Math.max(work.done, work.total) });
}

async function verifyBlob(work: VerifyRun, item: Item): Promise<void> {
  const { digest } = item;
  let stored: StoredBlob | undefined;
  try {
    stored = await work.store.open(digest);
    if (stored !== undefined) await verifyOpened(work, stored, item);
  } catch (error) {
    if (isGranaryError(error, "aborted", "closed")) throw error;
    const reason = messageOf(error);
    const mend = async () => {
      if (!(await work.sound.dropDamaged(digest, error, stored))) throw new Error(reason);
    };
    await repaired(work, "unreadable", digest, mend, reason);
  } finally {
    await stored?.close();
  }
}

async function verifyOpened(work: VerifyRun, stored: StoredBlob, { row: before, file }: Item): Promise<void> {
  const { metadata, store, sound, pins, clock, counts } = work;
  const { digest, size } = stored;
  const isRight = await verdictOf(work, await stored.verify(work.options.pace));
  if (pins.isFilled(digest)) return;
  // A fill that has ended meanwhile has given it a row.
  const row = before ?? (await metadata.blob(digest));
  if (!isRight) {
    const kind = row !== undefined && row.size !== size ? "wrong-size" : "damaged-blob";
    const reason = kind === "wrong-size" ? `it has ${size} bytes` : "its bytes hash to another digest";
    return await repaired(work, kind, digest, () => sound.setAsideUnsound(stored, reason));
  }
  counts.blobs += 1;
  counts.bytes += size;
  const verifiedAt = clock.now();
  if (row?.size === size) return await metadata.recordVerified(digest, verifiedAt);
  // It was evicted while it was hashed: then it has no row for that reason.
  if (pins.isLeaving(digest) || (await store.stat(digest)) === undefined) return;
  const usedAt = row?.usedAt ?? file?.changedAt ?? 0;
  await repaired(work, "unregistered", digest, () =>
    metadata.recordBlob({ digest, size, usedAt, verifiedAt }),
  );
}

/** The verdict. Reports progress meanwhile, and ends the hashing when the signal aborts. */
async function verdictOf(work: VerifyRun, verification: Verification): Promise<boolean> {
  const { clock, options } = work;
  const { signal, onProgress } = options;
  const stop = () => verification.stop();
  const tell = () => {
    onProgress?.({ done: work.done + verification.done, total: work.total });
    timer = clock.after(TOLD_EVERY_MS, tell);
  };
  let timer = clock.after(TOLD_EVERY_MS, tell);
  signal?.addEventListener("abort", stop);
  if (options.pace === undefined) verification.hurry();
  try {
    return await verification.verdict;
  } catch (error) {
    checkAborted(signal);
    throw error;
  } finally {
    timer.cancel();
    signal?.removeEventListener("abort", stop);
  }
}

async function findMissing(work: VerifyRun, digest: Digest): Promise<void> {
  const absence = await absenceOf(work, digest);
  if (absence !== undefined) await repaired(work, "missing", digest, absence);
}

/** What repairs the row of a blob whose file is missing; undefined when it is not missing after all. */
async function absenceOf(work: VerifyRun, digest: Digest): Promise<(() => Promise<void>) | undefined> {
  const { store, metadata, sound, pins } = work;
  if (pins.isFilled(digest) || (await metadata.blob(digest)) === undefined) return undefined;
  try {
    return (await store.stat(digest)) === undefined ? () => metadata.forgetBlobs([digest]) : undefined;
  } catch (error) {
    // An error of the system does not mean that it is missing; without one, something else lies in its place.
    if (!isGranaryError(error, "store-damaged") || error.cause !== undefined) return undefined;
    return async () => void (await sound.dropDamaged(digest, error));
  }
}
