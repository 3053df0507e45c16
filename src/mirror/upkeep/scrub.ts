/**
 * Owns the scrub: all blobs are hashed again in the background within a given time (a round), the one that was verified longest ago first,
 * and slowly enough not to disturb anybody. Metadata knows when each blob was verified, so it goes on after a restart. It does not count as a
 * use and does not stop an eviction. What happens to a damaged blob is decided in sound-blobs.ts.
 */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { BlobRecord, Metadata } from "../../metadata/metadata.ts";
import type { Clock, Timer } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { Digest } from "../../oci/digest.ts";
import type { BlobStore, StoredBlob } from "../../store/blob-store.ts";
import type { Pins } from "../space/pins.ts";
import type { SoundBlobs } from "./sound-blobs.ts";

export type ScrubParts = {
  readonly metadata: Metadata;
  readonly store: BlobStore;
  readonly sound: SoundBlobs;
  readonly pins: Pins;
  /** Within which each blob is hashed; 0 switches it off. */
  readonly roundMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** At least so many bytes a second: a large blob must be finished on a machine that is switched off every night. */
const LEAST_RATE = 8 * 1024 * 1024;
/** At most so many bytes a second: the disk has other things to do. A round that is too short for that takes longer. */
const MOST_RATE = 128 * 1024 * 1024;
/** While anybody reads, it is slower by this factor. */
const SERVING_SHARE = 4;
/** How often it looks for blobs that are due. */
const LOOK_MS = 60_000;
/** Blobs that could not be hashed are skipped, so that the next one has its turn; so many are remembered. */
const MOST_SKIPPED = 1_000;

export class Scrub {
  readonly #parts: ScrubParts;
  readonly #skipped = new Set<Digest>();
  #rate = LEAST_RATE;
  #roundMs: number;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(parts: ScrubParts) {
    this.#parts = parts;
    this.#roundMs = parts.roundMs;
  }

  /** See `roundMs`; counts from the next blob on. */
  renew(roundMs: number): void {
    this.#roundMs = roundMs;
    if (this.#timer === undefined) this.start();
  }

  /** The first look comes after a minute, when a start is over. */
  start(): void {
    if (this.#roundMs > 0) this.#later(LOOK_MS);
  }

  /** Waits for the blob that is being hashed; SoundBlobs.close ends that. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /** Hashes all that is due now, at its pace. Never throws. */
  async run(): Promise<void> {
    try {
      this.#rate = await this.#rateNow();
      for (;;) {
        const due = this.#isStopped ? undefined : await this.#next();
        if (due === undefined) return;
        await this.#verify(due);
      }
    } catch (error) {
      if (isGranaryError(error, "closed")) return;
      this.#parts.log.warn({ reason: messageOf(error) }, "the scrub of stored blobs paused");
    }
  }

  #later(ms: number): void {
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.after(ms, () => {
      this.#running = this.run().then(() => this.#later(LOOK_MS));
    });
  }

  /** Twice as fast as needed, and a blob is due after half a round: so each is done within the round even if all are due together. */
  async #rateNow(): Promise<number> {
    const { bytes } = await this.#parts.metadata.sums();
    const needed = bytes / (this.#roundMs / 2 / 1000);
    return Math.min(MOST_RATE, Math.max(LEAST_RATE, needed));
  }

  readonly #pace = () => this.#rate / (this.#parts.pins.count > 0 ? SERVING_SHARE : 1);

  async #next(): Promise<BlobRecord | undefined> {
    const { metadata, clock, pins } = this.#parts;
    const roundMs = this.#roundMs;
    if (roundMs <= 0) return undefined;
    const now = clock.now();
    if (this.#skipped.size > MOST_SKIPPED) this.#skipped.clear();
    const due = await metadata.blobsToVerify(now - roundMs / 2, now, this.#skipped.size + 1);
    const next = due.find(({ digest }) => !this.#skipped.has(digest) && !pins.isFilled(digest));
    if (next === undefined) this.#skipped.clear();
    return next;
  }

  async #verify({ digest, size }: BlobRecord): Promise<void> {
    const { store, sound, metrics, log } = this.#parts;
    try {
      const stored = await store.open(digest);
      if (stored === undefined) return void (await sound.forgetAbsent([digest]));
      await this.#hash(stored).finally(() => stored.close());
      metrics.scrubbedBytes.inc(size);
    } catch (error) {
      if (isGranaryError(error, "closed") && this.#isStopped) throw error;
      this.#skipped.add(digest);
      log.debug({ digest, reason: messageOf(error) }, "a blob could not be scrubbed");
      if (isGranaryError(error, "store-damaged")) await sound.dropDamaged(digest, error);
    }
  }

  /** An eviction of the blob ends the hashing. */
  async #hash(stored: StoredBlob): Promise<void> {
    const { sound, pins } = this.#parts;
    const verification = await stored.verify(this.#pace);
    const release = pins.pinUnlessNeeded(stored.digest, () => verification.stop());
    try {
      await sound.check(stored, false, this.#pace);
    } finally {
      release();
    }
  }
}
