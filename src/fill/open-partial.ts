/**
 * Owns one Partial while a fill has it open: it is hashed as it grows, saved at least every second or every 64 MiB, and at the end adopted,
 * saved or discarded. The Fill decides when it ends; the lanes decide what is fetched.
 */
import { type ByteRange, lengthOf } from "../bytes/byte-range.ts";
import type { RangeSet } from "../bytes/range-set.ts";
import type { MoveBytes } from "../files/open-file.ts";
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
  /** Called when a checkpoint could not be written. */
  readonly unsaved: (error: unknown) => void;
  /** False when nobody knows the size. Such a partial is hashed by its writer, and no later fill can go on from it. */
  readonly isSized: boolean;
};

export class OpenPartial {
  readonly #partial: Partial;
  readonly #parts: OpenPartialParts;
  readonly #follower: DigestFollower | undefined;
  #checkpoints: Checkpoints;
  /** When the file was last written to, as the file system has it; taken before the last bytes were hashed. */
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

  /** undefined where the bytes lie in no file. */
  move(offset: number, most: number, move: MoveBytes): Promise<number> | undefined {
    return this.#partial.move?.(offset, most, move);
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

  /** The digest of the whole file; undefined when its writer has checked the digest already. Throws `store-damaged`. */
  async hash(): Promise<Digest | undefined> {
    this.#lastWrite = await this.#partial.lastWrite();
    return await this.#follower?.digest();
  }

  /** Nobody has written to the file since it was hashed. */
  async isUnchanged(): Promise<boolean> {
    return (await this.#partial.lastWrite()) === this.#lastWrite;
  }

  /** Saves the map of what is present, so that a later fill can go on from it. Nothing may be written meanwhile. */
  async save(): Promise<void> {
    if (!this.#parts.isSized) return;
    await this.#checkpoints.stop();
    // On a full disk the map cannot be written. The last map that was written is still true (F8).
    await this.#partial.checkpoint().catch(this.#parts.unsaved);
    this.#checkpoints = this.#newCheckpoints();
  }

  /** Makes it a blob of the store. Its readers go on reading the same file. */
  async adopt(blobs: BlobStore): Promise<void> {
    await this.#checkpoints.stop();
    await blobs.adopt(this.#partial, this.#partial.digest);
  }

  /** Closes a partial that was adopted. */
  async close(): Promise<void> {
    await this.#partial.close();
  }

  /** Saves it and closes it. Without a size no later fill could go on from it, so it is discarded. */
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

/** Saves the map in the background while bytes arrive, without delaying the fill. */
export class Checkpoints {
  readonly #partial: Pick<Partial, "checkpoint">;
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  #unsaved = 0;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  /** `failed` is called when a checkpoint in the background could not be written. */
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

  /** Stops checkpoints in the background; waits for one that runs. */
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
