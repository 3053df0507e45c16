/**
 * Owns the Content of one fill: which bytes of a blob are here, where they are read from, and who waits for those that are not. It is
 * passive: readers wait on it, lanes write to it, and neither knows the other; the Fill alone says what becomes of it.
 *
 *     Fills --obtain--> Fill, FillCourse --show, reveal, passBy, fail------------+
 *                        | |                                                     v
 *                        | +--reader()--> FillReader --readable, read, park--> Content --> OpenPartial or StoredBlob (disk)
 *                        |                                                       ^
 *                        +--work(), stop()--> Lanes or Stream --write, mark------+
 *                                                    |
 *                                                    +--> Origin (network)
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import { RangeSet } from "../bytes/range-set.ts";
import { GranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import type { BlobReader } from "../source.ts";
import type { StoredBlob } from "../store/blob-store.ts";
import type { Wanted } from "./next-segment.ts";
import { OpenPartial } from "./open-partial.ts";
import { type Parked, Waits } from "./waits.ts";

/** What a reader still wants: from its next byte to the end of its range. */
export type Reading = Wanted & {
  /** It asked for the whole blob: its last bytes wait for the verdict on the digest (F18). */
  readonly isWhole: boolean;
};

/** Opens a reader of the same bytes that does without the disk; undefined where there is no origin left. */
export type Detour = (reading: Reading) => BlobReader | undefined;

export type ContentParts = {
  readonly digest: Digest;
  /** Bytes; undefined where nobody states them. */
  readonly size: number | undefined;
  /** All of it is to be fetched, whatever its readers take. */
  readonly isWanted: boolean;
  readonly clock: Clock;
};

/** F18: so much of a whole reader's end waits for the verdict. */
const HELD_BACK = 64 * 1024;
/** Ollama asks for whole blobs and reads no body. Whoever has read more than this of one wants it: the rest is fetched ahead. */
const PROBE_BYTES = 8 * 1024 * 1024;

export class Content {
  /** Readers whose next byte is not here, oldest first: those that lanes serve. */
  readonly waits: Waits;
  /** Readers who have everything but the verdict. */
  readonly #heldBack: Waits;
  readonly #digest: Digest;
  readonly #isWantedAnyway: boolean;
  #end: number;
  #bytes: OpenPartial | StoredBlob | undefined;
  #present = new RangeSet();
  #isRight = false;
  #failure: GranaryError | undefined;
  #detour: Detour | undefined;
  #readFromStart = 0;
  #wanted: () => void = () => {};

  constructor({ digest, size, isWanted, clock }: ContentParts) {
    this.waits = new Waits(clock);
    this.#heldBack = new Waits(clock);
    this.#digest = digest;
    this.#isWantedAnyway = isWanted;
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

  get isWhole(): boolean {
    return this.#present.total === this.#end;
  }

  get waiting(): number {
    return this.waits.count + this.#heldBack.count;
  }

  /** All of it is to be fetched, by policy or because somebody has read a good part of the whole. */
  get isWanted(): boolean {
    return this.#isWantedAnyway || this.#readFromStart > PROBE_BYTES;
  }

  // --- for readers -------------------------------------------------------------------------------------------------

  /** Bytes that can be read at `start` now: 0 when the reader must wait. Throws why the fill failed. */
  readable({ start, end, isWhole }: Reading): number {
    if (this.#failure !== undefined) throw this.#failure;
    const border = isWhole && !this.#isRight ? this.#end - Math.min(HELD_BACK, this.#end) : this.#end;
    return Math.max(0, Math.min(this.#present.endOfRunAt(start), end, border) - start);
  }

  /** Everything from `start` on is here but the verdict. */
  isHeldBack({ start, isWhole }: Reading): boolean {
    if (!isWhole || this.#isRight || this.#failure !== undefined) return false;
    return this.#present.endOfRunAt(start) >= this.#end;
  }

  /** At least one byte of what is present. Throws `store-damaged`. */
  async read(offset: number, into: Uint8Array): Promise<number> {
    const count = (await this.#bytes?.read(offset, into)) ?? 0;
    if (count > 0) return count;
    throw new GranaryError(
      "store-damaged",
      `${this.#digest} is shorter on disk than what was written of it.`,
    );
  }

  /** False when somebody has written to the file since it was hashed. */
  async isUnchanged(): Promise<boolean> {
    if (this.#bytes instanceof OpenPartial) return await this.#bytes.isUnchanged();
    return (await this.#bytes?.isVerified()) ?? false;
  }

  /** Waits until something has changed for this reader, who looks again then. */
  park(reading: Reading): Parked {
    const waits = this.isHeldBack(reading) ? this.#heldBack : this.waits;
    // A reader may be held back at a byte that is here while later ones are not: those are what it waits for.
    const parked = waits.park({ ...reading, start: this.#present.endOfRunAt(reading.start) });
    this.#wanted();
    return parked;
  }

  /** Where to go on when the bytes cannot be kept here (F16); undefined while they can. */
  detour(reading: Reading): BlobReader | undefined {
    return this.#detour?.(reading);
  }

  /** A reader has taken everything before `start`. */
  taken({ start, isWhole }: Reading): void {
    if (isWhole) this.#readFromStart = Math.max(this.#readFromStart, start);
    if (this.isWanted) this.#wanted();
  }

  // --- for who brings bytes ----------------------------------------------------------------------------------------

  /** `wanted` is called after every new wait (F4), and when readers took something of what is wanted whole. */
  whenWanted(wanted: () => void): void {
    this.#wanted = wanted;
  }

  /** Marks nothing. Throws `store-full`, `store-damaged`. */
  async write(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    await this.#partial.write(offset, chunks);
  }

  /** F3: the write of `range` has returned. Marks it present, then wakes whoever waits for it. */
  mark(range: ByteRange): void {
    this.#partial.mark(range);
    this.waits.wake(range);
  }

  /** The last byte was seen: what is present is the whole. */
  endHere(): void {
    this.#end = this.#present.total;
    this.#wakeAll();
  }

  // --- for the Fill ------------------------------------------------------------------------------------------------

  /** From here on these are the bytes; undefined: none. */
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

  /** The digest is right: whole readers get their ends. */
  reveal(): void {
    this.#isRight = true;
    this.#wakeAll();
  }

  /** It cannot be kept: whoever lacks something goes on elsewhere. */
  passBy(detour: Detour): void {
    this.#detour = detour;
    this.#wakeAll();
  }

  /** Every reader hears `error` from now on. */
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
