/**
 * Owns one reader of a Fill: it asks for its next bytes, parks while they are not there, and gets exactly its range or an
 * error (F2). It holds no bytes of its own (F7); its end ends nothing but itself (F5).
 */
import { type ByteRange, formatRange } from "../bytes/byte-range.ts";
import { GranaryError, isGranaryError } from "../errors.ts";
import type { BlobReader } from "../source.ts";

/** What a reader needs of its Fill. */
export interface ReaderHost {
  /** Bytes that can be read at `offset` now: 0 when it must wait. Throws the fill's failure. */
  available(offset: number, end: number, whole: boolean): number;
  /** True when the byte at `offset` is there, but held back until the digest is known (F18). */
  isHeldBack(offset: number, whole: boolean): boolean;
  /** Where the blob ends; infinite while nobody knows. */
  readonly end: number;
  readAt(offset: number, into: Uint8Array): Promise<number>;
  /** False when somebody has written to the file since it was hashed. */
  isUnchanged(): Promise<boolean>;
  /** The disk failed to give what is present: returns when `passThrough` goes on in its place, or throws. */
  unreadable(error: GranaryError): Promise<void>;
  /**
   * Parks until something at `range.start` changed; `held` readers wait for the verdict on the digest. `ahead`: the client's next
   * ranges, where it has said which.
   */
  park(
    range: ByteRange,
    held: boolean,
    ahead: readonly ByteRange[] | undefined,
  ): { readonly woken: Promise<void>; leave(): void };
  /** Where to go on when there is no room to keep the blob (F16); undefined while there is. */
  passThrough(range: ByteRange, whole: boolean): BlobReader | undefined;
  /** The reader has consumed up to `offset`. */
  consumed(offset: number, whole: boolean): void;
  left(reader: FillReader): void;
}

export class FillReader implements BlobReader {
  readonly #host: ReaderHost;
  readonly #range: ByteRange;
  readonly #whole: boolean;
  readonly #ahead: readonly ByteRange[] | undefined;
  #offset: number;
  #parked: { leave(): void } | undefined;
  #through: BlobReader | undefined;
  #failure: GranaryError | undefined;
  #isClosed = false;
  #isTaking = false;
  /** The disk gives nothing back: what is present is of no use to this reader. */
  #isUnreadable = false;

  constructor(host: ReaderHost, range: ByteRange, whole: boolean, ahead?: readonly ByteRange[]) {
    this.#host = host;
    this.#range = range;
    this.#whole = whole;
    this.#ahead = ahead;
    this.#offset = range.start;
  }

  /** It was given bytes, or is being given some: a read under way has chosen its bytes already. */
  get hasBytes(): boolean {
    return this.#isTaking || this.#offset > this.#range.start;
  }

  async read(into: Uint8Array): Promise<number> {
    for (;;) {
      if (this.#isClosed) throw closed();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#through !== undefined) return await this.#through.read(into);
      const count = this.#isUnreadable ? 0 : this.#host.available(this.#offset, this.#end, this.#whole);
      if (count > 0) {
        const taken = await this.#take(into.subarray(0, Math.min(count, into.length)));
        if (taken > 0) return taken;
        continue;
      }
      // Only from where nothing is present: what is, is never asked for again (F6).
      this.#through = this.#host.passThrough({ start: this.#offset, end: this.#range.end }, this.#whole);
      if (this.#through !== undefined) continue;
      if (this.#isAtEnd()) return await this.#complete();
      await this.#park();
    }
  }

  /** What this reader has been given can no longer be trusted: its next read throws. */
  fail(error: GranaryError): void {
    this.#failure = error;
    this.#parked?.leave();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#through?.close();
    this.#parked?.leave();
    this.#host.left(this);
  }

  /** A whole reader is at its end only when the digest is known to be right, also of an empty blob. */
  #isAtEnd(): boolean {
    return this.#offset >= this.#end && !this.#host.isHeldBack(this.#offset, this.#whole);
  }

  get #end(): number {
    return Math.min(this.#range.end, this.#host.end);
  }

  /** F2: never short. A range of a blob whose size nobody knew may turn out to lie beyond its end. */
  async #complete(): Promise<number> {
    const { end } = this.#range;
    if (this.#offset >= end) return 0;
    // F18: its last bytes were given before anybody knew that they are the last.
    if (end === Number.POSITIVE_INFINITY && (await this.#host.isUnchanged())) return 0;
    if (end === Number.POSITIVE_INFINITY) throw changed();
    const message = `The blob has ${this.#host.end} bytes; ${formatRange(this.#range)} was asked for.`;
    throw new GranaryError("range-unsatisfiable", message, { expected: end, found: this.#host.end });
  }

  async #take(into: Uint8Array): Promise<number> {
    this.#isTaking = true;
    const count = await this.#readAt(into);
    // F18: all that a slow reader was given was read by now, and must be what was hashed.
    const isLast = this.#whole && count > 0 && this.#offset + count === this.#range.end;
    if (isLast && !(await this.#host.isUnchanged())) this.#failure ??= changed();
    this.#isTaking = false;
    // A reader that was failed or closed while it read must not hand out what it read.
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) throw closed();
    this.#offset += count;
    this.#host.consumed(this.#offset, this.#whole);
    return count;
  }

  /** 0 when the disk failed and the reader goes on without it. */
  async #readAt(into: Uint8Array): Promise<number> {
    try {
      return await this.#host.readAt(this.#offset, into);
    } catch (error) {
      if (!isGranaryError(error, "store-damaged")) throw error;
      await this.#host.unreadable(error);
      this.#isUnreadable = true;
      return 0;
    }
  }

  async #park(): Promise<void> {
    const held = this.#host.isHeldBack(this.#offset, this.#whole);
    const parked = this.#host.park({ start: this.#offset, end: this.#range.end }, held, this.#ahead);
    this.#parked = parked;
    await parked.woken;
    this.#parked = undefined;
  }
}

function closed(): GranaryError {
  return new GranaryError("closed", "The reader was closed.");
}

function changed(): GranaryError {
  const reason = "the file was written to while it was read";
  return new GranaryError("digest-mismatch", `The reader was broken off: ${reason}.`, { reason });
}
