/**
 * Owns how blobs get into the bucket that are on this disk and came there without the fleet: while its database or its bucket was away, from an
 * import, or before this node was one of a fleet. One at a time, behind everything else; what cannot be done now is tried again.
 */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { onAbort } from "../../waiting/abort.ts";
import { sleep } from "../../waiting/sleep.ts";
import { blobLease } from "../fleet.ts";
import { shareBlob, uploadOf } from "./share-blob.ts";
import type { TransferParts } from "./transfer-parts.ts";

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

  addAll(digests: Iterable<Digest>): void {
    for (const digest of digests) this.add(digest);
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
    const { fleet, blobs } = this.#parts;
    const key = blobLease(ANY_UPSTREAM, digest);
    const standing = await fleet.resolve(digest, key);
    if (standing.is === "stored") return true;
    if (standing.is === "held") return !standing.holder.isMe;
    const stored = await blobs.open(digest);
    if (stored === undefined) return true;
    const lease = await fleet.acquire(key);
    try {
      if (lease === undefined) return false;
      const upload = uploadOf(stored, lease, this.#parts);
      const stopListening = onAbort(this.#stop.signal, () => void upload.stop());
      return await shareBlob({ stored, lease, upload }, this.#parts).finally(stopListening);
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
