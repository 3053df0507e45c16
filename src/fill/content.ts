/**
 * Owns the Content of one fill: which bytes of a blob are here, where they are read from, and who waits for those that are not. It is
 * passive: readers wait on it, lanes write to it, and neither knows the other; the Fill alone says what becomes of it.
 *
 *     Fills --obtain--> Fill, its course --show, reveal, passBy, fail------------+
 *                        | |                                                     v
 *                        | +--reader()--> FillReader --readable, read, park--> Content --> OpenPartial or StoredBlob (disk)
 *                        |                                                       ^
 *                        +--work(), stop()--> Lanes or Stream --write, mark------+
 *                                                    |
 *                                                    +--> Origin (network)
 */
import { type ByteRange, lengthOf } from "../bytes/byte-range.ts";
import { Meter } from "../bytes/meter.ts";
import { RangeSet } from "../bytes/range-set.ts";
import { GranaryError } from "../errors.ts";
import type { MoveBytes } from "../files/open-file.ts";
import type { Clock } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import type { Purpose } from "../purpose.ts";
import type { BlobReader } from "../source.ts";
import type { StoredBlob } from "../store/blob-store.ts";
import type { Wanted } from "./next-segment.ts";
import { OpenPartial } from "./open-partial.ts";
import { type Parked, Waits } from "./waits.ts";

/** What a reader still wants: from its next byte to the end of its range. */
export type Reading = Wanted & {
  readonly purpose: Purpose;
  /** It asked for the whole blob, so its last bytes wait until the digest is known to be right (F18). */
  readonly isWhole: boolean;
};

/** Opens a reader of the same bytes that does not use the disk; undefined when no origin is left. */
export type Detour = (reading: Reading) => BlobReader | undefined;

export type ContentParts = {
  readonly digest: Digest;
  /** Bytes; undefined where nobody states them. */
  readonly size: number | undefined;
  /** All of the blob is to be fetched, even what no reader takes. */
  readonly isWanted: boolean;
  readonly clock: Clock;
  /** Hears of each range that has become present. */
  readonly grown?: (() => void) | undefined;
};

/** F18: for a whole reader, this many bytes at the end wait for the verdict on the digest. */
const HELD_BACK = 64 * 1024;
/**
 * Ollama requests whole blobs of which it reads nothing, only to see the headers. Once a client has read more than this, it really wants the
 * blob, and the rest is fetched ahead.
 */
const PROBE_BYTES = 8 * 1024 * 1024;

export class Content {
  /** Readers whose next byte is not present, oldest first. Lanes fetch for these. */
  readonly waits: Waits;
  /** Readers that need only the verdict on the digest. */
  readonly #heldBack: Waits;
  readonly #clock: Clock;
  readonly #meter = new Meter();
  readonly #digest: Digest;
  #isWantedAnyway: boolean;
  #end: number;
  #bytes: OpenPartial | StoredBlob | undefined;
  #present = new RangeSet();
  #isRight = false;
  #failure: GranaryError | undefined;
  #detour: Detour | undefined;
  #readFromStart = 0;
  #wanted: () => void = () => {};
  readonly #grown: (() => void) | undefined;

  constructor({ digest, size, isWanted, clock, grown }: ContentParts) {
    this.waits = new Waits(clock);
    this.#heldBack = new Waits(clock);
    this.#clock = clock;
    this.#digest = digest;
    this.#isWantedAnyway = isWanted;
    this.#grown = grown;
    this.#end = size ?? Number.POSITIVE_INFINITY;
  }

  /** Where the blob ends; infinite while nobody knows. */
  get end(): number {
    return this.#end;
  }

  /** Bytes; undefined as long as nobody knows. */
  get size(): number | undefined {
    return this.#end === Number.POSITIVE_INFINITY ? undefined : this.#end;
  }

  get present(): RangeSet {
    return this.#present;
  }

  /** What has come lately. */
  get bytesPerSecond(): number {
    return this.#meter.perSecond(this.#clock.elapsed());
  }

  get isWhole(): boolean {
    return this.#present.total === this.#end;
  }

  get waiting(): number {
    return this.waits.count + this.#heldBack.count;
  }

  /** All of it is to be fetched: by policy, or because a whole reader has read more than PROBE_BYTES. */
  get isWanted(): boolean {
    return this.#isWantedAnyway || this.#readFromStart > PROBE_BYTES;
  }

  /** All of it is to be fetched from now on, whoever reads. */
  want(): void {
    this.#isWantedAnyway = true;
    this.#wanted();
  }

  // --- for readers -------------------------------------------------------------------------------------------------

  /** Bytes that can be read at `start` now: 0 when the reader must wait. Throws why the fill failed. */
  readable({ start, end, isWhole }: Reading): number {
    if (this.#failure !== undefined) throw this.#failure;
    const border = isWhole && !this.#isRight ? this.#end - Math.min(HELD_BACK, this.#end) : this.#end;
    return Math.max(0, Math.min(this.#present.endOfRunAt(start), end, border) - start);
  }

  /** All bytes from `start` on are present, and only the verdict on the digest is missing. */
  isHeldBack({ start, isWhole }: Reading): boolean {
    if (!isWhole || this.#isRight || this.#failure !== undefined) return false;
    return this.#present.endOfRunAt(start) >= this.#end;
  }

  /** Reads bytes that are present; returns how many, at least 1. Throws `store-damaged`. */
  async read(offset: number, into: Uint8Array): Promise<number> {
    const count = (await this.#bytes?.read(offset, into)) ?? 0;
    if (count > 0) return count;
    throw new GranaryError(
      "store-damaged",
      `${this.#digest} is shorter on disk than what was written of it.`,
    );
  }

  /** Bytes at `start` that can be moved: those that can be read, but for the last ones of a whole, which are checked once they were read. */
  movable({ start, end, isWhole, ...reading }: Reading): number {
    const border = isWhole ? Math.min(end, this.#end - HELD_BACK) : end;
    return border <= start ? 0 : this.readable({ start, end: border, isWhole, ...reading });
  }

  /** Moves bytes that are present; returns how many, undefined where they lie in no file. */
  async move(offset: number, most: number, move: MoveBytes): Promise<number | undefined> {
    return await this.#bytes?.move?.(offset, most, move);
  }

  /** False when somebody has written to the file since it was hashed. */
  async isUnchanged(): Promise<boolean> {
    if (this.#bytes instanceof OpenPartial) return await this.#bytes.isUnchanged();
    return (await this.#bytes?.isVerified()) ?? false;
  }

  /** Parks a reader until something has changed for it; it then looks again. */
  park(reading: Reading): Parked {
    const waits = this.isHeldBack(reading) ? this.#heldBack : this.waits;
    // A reader may be held back at a byte that is here while later ones are not: those are what it waits for.
    const parked = waits.park({ ...reading, start: this.#present.endOfRunAt(reading.start) });
    this.#wanted();
    return parked;
  }

  /** Where the reader goes on when the disk cannot keep the bytes (F16); undefined while it can. */
  detour(reading: Reading): BlobReader | undefined {
    return this.#detour?.(reading);
  }

  /** A reader has been given everything before `start`. */
  taken({ start, isWhole }: Reading): void {
    if (isWhole) this.#readFromStart = Math.max(this.#readFromStart, start);
    if (this.isWanted) this.#wanted();
  }

  // --- for the Supply ----------------------------------------------------------------------------------------------

  /** `wanted` is called after every new wait (F4), and when a reader of a blob that is wanted whole was given bytes. */
  whenWanted(wanted: () => void): void {
    this.#wanted = wanted;
  }

  /** Marks nothing. Throws `store-full`, `store-damaged`. */
  async write(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    await this.#partial.write(offset, chunks);
  }

  /** F3: call it when the write of `range` has returned. Marks the range as present, then wakes the readers that wait in it. */
  mark(range: ByteRange): void {
    this.#partial.mark(range);
    this.#meter.add(lengthOf(range), this.#clock.elapsed());
    this.waits.wake(range);
    this.#grown?.();
  }

  /** The body has ended: what is present is the whole blob. */
  endHere(): void {
    this.#end = this.#present.total;
    this.#wakeAll();
  }

  // --- for the Fill ------------------------------------------------------------------------------------------------

  /** Readers get these bytes from now on; undefined when there are none. */
  show(bytes: OpenPartial | StoredBlob | undefined): void {
    this.#bytes = bytes;
    this.#readFromStart = 0;
    if (bytes === undefined) this.#present = new RangeSet();
    else if (bytes instanceof OpenPartial) this.#present = bytes.present;
    else {
      this.#end = bytes.size;
      this.#present = RangeSet.of([{ start: 0, end: bytes.size }]);
    }
    this.#wakeAll();
  }

  /** The digest is right: whole readers get their last bytes. */
  reveal(): void {
    this.#isRight = true;
    this.#wakeAll();
  }

  /** The blob cannot be kept: readers that lack bytes go on with a detour. */
  passBy(detour: Detour): void {
    this.#detour = detour;
    this.#wakeAll();
  }

  /** Every read throws `error` from now on. */
  fail(error: GranaryError): void {
    this.#failure = error;
    this.#wakeAll();
  }

  get #partial(): OpenPartial {
    if (this.#bytes instanceof OpenPartial) return this.#bytes;
    throw new GranaryError("closed", `Nothing of ${this.#digest} is open to be written to.`);
  }

  #wakeAll(): void {
    this.waits.wakeAll();
    this.#heldBack.wakeAll();
  }
}
