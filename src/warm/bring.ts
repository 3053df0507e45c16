/**
 * Owns bringing blobs in through the Mirror: each is read to its end, so that its Fill completes, and nothing of it is kept in memory. A few at
 * once, since each has several connections already.
 */
import { GranaryError } from "../errors.ts";
import type { ManifestLink } from "../oci/manifest-view.ts";
import type { BlobTarget } from "../routing/target.ts";
import { abortedError, onAbort } from "../waiting/abort.ts";
import type { WarmAsker, WarmMirror } from "./warm-mirror.ts";

export type BringParts = {
  readonly mirror: Pick<WarmMirror, "blob">;
  readonly asker: Omit<WarmAsker, "accept">;
  readonly signal: AbortSignal;
  /** Hears of bytes as they are here: `isNew` when they were not before. */
  readonly onBytes: (count: number, isNew: boolean) => void;
};

/** Blobs at once. */
const AT_ONCE = 3;
const CHUNK_BYTES = 1024 * 1024;

/** Resolves when all are here. Throws the first failure, once those that had begun have ended; `aborted`. */
export async function bringBlobs(
  { upstream, repository }: Pick<BlobTarget, "upstream" | "repository">,
  blobs: readonly ManifestLink[],
  parts: BringParts,
): Promise<void> {
  const left = [...blobs];
  let failure: unknown;
  const work = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      try {
        await bringBlob({ kind: "blob", upstream, repository, digest: next.digest }, parts);
      } catch (error) {
        failure ??= error;
        left.length = 0;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failure !== undefined) throw failure;
}

async function bringBlob(target: BlobTarget, { mirror, asker, signal, onBytes }: BringParts): Promise<void> {
  if (signal.aborted) throw abortedError(signal, "the warm-up");
  const { blob, outcome } = await mirror.blob(target, asker);
  try {
    if (outcome === "hit") return onBytes(blob.size ?? 0, false);
    // Reading it would bring all of it, and leave nothing here.
    if (outcome === "bypass") throw noRoom(target);
    const reader = blob.reader();
    const stopListening = onAbort(signal, () => reader.close());
    try {
      const chunk = new Uint8Array(CHUNK_BYTES);
      for (let count = await reader.read(chunk); count > 0; count = await reader.read(chunk))
        onBytes(count, true);
    } catch (error) {
      throw signal.aborted ? abortedError(signal, "the warm-up") : error;
    } finally {
      stopListening();
      reader.close();
    }
  } finally {
    blob.release();
  }
}

function noRoom({ digest }: BlobTarget): GranaryError {
  return new GranaryError(
    "store-full",
    `There is no room on the disk for ${digest}: see storage.maxSize and storage.minFree.`,
  );
}
