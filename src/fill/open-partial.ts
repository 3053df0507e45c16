/**
 * Owns one Partial while a fill has it open: it is hashed as it grows, saved at most a second or 64 MiB behind what arrives, and
 * adopted, saved or discarded at the end. When that end has come is the Fill's to say; what is fetched, the lanes'.
 */
import { type ByteRange, lengthOf } from "../bytes/byte-range.ts";
import type { RangeSet } from "../bytes/range-set.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { DigestFollower, Partial } from "../store/partial.ts";
import type { Room } from "./room.ts";

const EVERY_MS = 1_000;
const EVERY_BYTES = 64 * 1024 * 1024;

export type OpenPartialParts = {
  readonly clock: Clock;
  readonly room: Room;
  /** Hears of a checkpoint that could not be written. */
  readonly unsaved: (error: unknown) => void;
  /** False where nobody knows the size: such a partial is hashed by who writes it, and nobody can go on from it later. */
  readonly isSized: boolean;
};

export class OpenPartial {
  readonly #partial: Partial;
  readonly #parts: OpenPartialParts;
  readonly #follower: DigestFollower | undefined;
  #checkpoints: Checkpoints;
  /** Of the file, when all of it was here and before it was hashed to its end. */
  #lastWrite: bigint | undefined;

  constructor(partial: Partial, parts: OpenPartialParts) {
    this.#partial = partial;
    this.#parts = parts;
    this.#checkpoints = this.#newCheckpoints();
    this.#follower = parts.isSized ? partial.follow() : undefined;
    this.#follower?.advance(this.present.endOfRunAt(0));
    parts.room.occupies(this.present.total);
  }

  get present(): RangeSet {
    return this.#partial.present;
  }

  /** Some of its bytes are from an earlier fill (F10). */
  get isResumed(): boolean {
    return this.#partial.resumed;
  }

  read(offset: number, into: Uint8Array): Promise<number> {
    return this.#partial.read(offset, into);
  }

  /** Marks nothing. Throws `store-full`, `store-damaged`. */
  async write(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    if (!this.#parts.isSized) this.#partial.grow(chunks.reduce((at, { length }) => at + length, offset));
    await this.#partial.write(offset, chunks);
  }

  /** `range` was written and can be read back (F3). */
  mark(range: ByteRange): void {
    this.present.add(range);
    this.#follower?.advance(this.present.endOfRunAt(0));
    this.#parts.room.occupies(this.present.total);
    if (this.#parts.isSized) this.#checkpoints.arrived(lengthOf(range));
  }

  /** What all of it hashes to; undefined where who wrote it has hashed it. Throws `store-damaged`. */
  async hash(): Promise<Digest | undefined> {
    this.#lastWrite = await this.#partial.lastWrite();
    return await this.#follower?.digest();
  }

  /** Nobody has written to the file since it was hashed. */
  async isUnchanged(): Promise<boolean> {
    return (await this.#partial.lastWrite()) === this.#lastWrite;
  }

  /** Saves what is there, for others to go on from; nothing may be written meanwhile. */
  async save(): Promise<void> {
    if (!this.#parts.isSized) return;
    await this.#checkpoints.stop();
    // Maps cannot be written when the disk is full: the last one that was is still true (F8).
    await this.#partial.checkpoint().catch(this.#parts.unsaved);
    this.#checkpoints = this.#newCheckpoints();
  }

  /** Makes it the store's blob. Whoever reads it goes on reading the same file. */
  async adopt(blobs: BlobStore): Promise<void> {
    await this.#checkpoints.stop();
    await blobs.adopt(this.#partial, this.#partial.digest);
  }

  /** Of one that was adopted. */
  async close(): Promise<void> {
    await this.#partial.close();
  }

  /** Saves what is there and closes; without a size nobody could go on from it, and it goes. */
  async keep(): Promise<void> {
    if (!this.#parts.isSized) return await this.discard();
    await this.save();
    await this.#partial.close();
  }

  async discard(): Promise<void> {
    await this.#checkpoints.stop();
    this.#parts.room.occupies(0);
    await this.#partial.discard();
  }

  #newCheckpoints(): Checkpoints {
    return new Checkpoints(this.#partial, this.#parts.clock, this.#parts.unsaved);
  }
}

/** When the map is saved while bytes arrive: beside the fill, never in its way. */
export class Checkpoints {
  readonly #partial: Pick<Partial, "checkpoint">;
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  #unsaved = 0;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  /** `failed` hears of a checkpoint in the background that could not be written. */
  constructor(partial: Pick<Partial, "checkpoint">, clock: Clock, failed: (error: unknown) => void) {
    this.#partial = partial;
    this.#clock = clock;
    this.#failed = failed;
  }

  arrived(bytes: number): void {
    this.#unsaved += bytes;
    if (this.#stopped) return;
    if (this.#unsaved >= EVERY_BYTES) this.#start();
    else this.#timer ??= this.#clock.after(EVERY_MS, () => this.#start());
  }

  /** No more checkpoints in the background; waits for one that runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #start(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#stopped || this.#running !== undefined) return;
    this.#unsaved = 0;
    this.#running = this.#partial
      .checkpoint()
      .catch(this.#failed)
      .finally(() => {
        this.#running = undefined;
        if (this.#unsaved > 0) this.arrived(0);
      });
  }
}
