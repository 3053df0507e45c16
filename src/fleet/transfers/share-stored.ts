/**
 * Owns how blobs get into the bucket that are on this disk and came there without the fleet: while its database or its bucket was away, from an
 * import, or before this node was one of a fleet. One at a time, behind everything else; what cannot be done now is tried again.
 */
import { RangeSet } from "../../bytes/range-set.ts";
import { isGranaryError, messageOf } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { sleep } from "../../waiting/sleep.ts";
import { blobLease } from "../fleet.ts";
import type { TransferParts } from "./transfer-parts.ts";
import { UploadBehind } from "./upload-behind.ts";

/** More than that are found again by the next look through the disk. */
const MOST_WAITING = 10_000;
const PAUSE_MS = 5_000;
/** Of what is stored already, whoever brought it. */
const ANY_UPSTREAM = "";

export class ShareStored {
  readonly #parts: TransferParts;
  readonly #waiting = new Set<Digest>();
  readonly #stop = new AbortController();
  #working: Promise<void> | undefined;

  constructor(parts: TransferParts) {
    this.#parts = parts;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** `digest` is on this disk, verified, and perhaps not in the bucket. */
  add(digest: Digest): void {
    if (this.#stop.signal.aborted || this.#waiting.size >= MOST_WAITING) return;
    this.#waiting.add(digest);
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#working;
  }

  async #work(): Promise<void> {
    for (let [digest] = this.#waiting; digest !== undefined; [digest] = this.#waiting) {
      const isDone = await this.#share(digest).catch((error: unknown) => this.#failed(digest, error));
      this.#waiting.delete(digest);
      if (this.#stop.signal.aborted) return;
      if (isDone) continue;
      this.#waiting.add(digest);
      await sleep(PAUSE_MS, this.#parts.clock, this.#stop.signal);
    }
  }

  /** False when it has to be tried again. */
  async #share(digest: Digest): Promise<boolean> {
    const { fleet, blobs, bucket } = this.#parts;
    const key = blobLease(ANY_UPSTREAM, digest);
    const standing = await fleet.resolve(digest, key);
    if (standing.is === "stored") return true;
    if (standing.is === "held") return !standing.holder.isMe;
    const stored = await blobs.open(digest);
    if (stored === undefined) return true;
    const lease = await fleet.acquire(key);
    try {
      if (lease === undefined) return false;
      const read = (offset: number, into: Uint8Array) => stored.read(offset, into);
      const present = RangeSet.of([{ start: 0, end: stored.size }]);
      const upload = new UploadBehind({ digest, size: stored.size, present, read }, lease, this.#parts);
      const stopping = () => void upload.stop();
      this.#stop.signal.addEventListener("abort", stopping, { once: true });
      const isThere = await upload
        .finish(read)
        .finally(() => this.#stop.signal.removeEventListener("abort", stopping));
      if (!isThere) return false;
      const isKnown = await lease.commit({ digest, size: stored.size, objectKey: upload.objectKey });
      if (!isKnown) await bucket.remove([upload.objectKey]);
      return true;
    } finally {
      await stored.close();
      await lease?.release();
    }
  }

  #failed(digest: Digest, error: unknown): boolean {
    if (isGranaryError(error, "fleet-unavailable", "closed")) return false;
    this.#parts.log.warn(
      { digest, reason: messageOf(error) },
      "a blob of this node could not be shared with its fleet",
    );
    return true;
  }
}
