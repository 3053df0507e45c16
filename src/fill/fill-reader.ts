/**
 * Owns the readers of a Fill. Each asks the Content for its next bytes, parks while they are not there, and gets exactly its range or an
 * error (F2). It has no bytes of its own (F7); its end ends nothing but itself (F5). Of all together it is known how many they are, and
 * when nobody has read for a while (F13).
 */
import { type ByteRange, formatRange } from "../bytes/byte-range.ts";
import { GranaryError, isGranaryError } from "../errors.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import type { BlobReader } from "../source.ts";
import type { Content, Reading } from "./content.ts";
import type { BlobFacts } from "./lane.ts";
import type { Parked } from "./waits.ts";

/** What the Fill hears of its readers. */
export type ReadersEvents = {
  /** The disk fails to give what is present. Throws what the reader is to throw where the fill cannot do without the disk. */
  readonly unreadable: (error: GranaryError) => void;
  readonly lastLeft: () => void;
  /** `lingerMs` have passed since the last one left. */
  readonly unread: () => void;
};

export type ReadersParts = {
  readonly content: Content;
  readonly blob: BlobFacts;
  readonly clock: Clock;
  /** undefined where it does not matter whether anybody reads. */
  readonly lingerMs: number | undefined;
};

export class FillReaders {
  readonly #parts: ReadersParts;
  readonly #events: ReadersEvents;
  readonly #open = new Set<FillReader>();
  #linger: Timer | undefined;

  constructor(parts: ReadersParts, events: ReadersEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Throws `range-unsatisfiable` for a range that is not inside the size: a byte past the end would be waited for without end. */
  open(range: ByteRange | undefined, ahead: readonly ByteRange[] | undefined): FillReader {
    const { digest, size: end = Number.POSITIVE_INFINITY } = this.#parts.blob;
    for (const one of [range ?? [], ahead ?? []].flat())
      if (one.start < 0 || one.end > end) throw outside(digest, one, end);
    const asked = { ...(range ?? { start: 0, end }), ahead, isWhole: range === undefined };
    const reader = new FillReader(this.#parts.content, asked, {
      unreadable: this.#events.unreadable,
      closed: (closed) => this.#closed(closed),
    });
    this.#open.add(reader);
    this.stopLinger();
    return reader;
  }

  /** Who was given bytes, or is being given some, hears `error`. */
  failThoseWithBytes(error: GranaryError): void {
    for (const reader of this.#open) if (reader.hasBytes) reader.fail(error);
  }

  /** Where nobody reads, `unread` is told unless somebody comes. */
  linger(): void {
    const { clock, lingerMs } = this.#parts;
    if (this.#open.size > 0 || lingerMs === undefined) return;
    this.#linger ??= clock.after(lingerMs, () => {
      this.#linger = undefined;
      this.#events.unread();
    });
  }

  stopLinger(): void {
    this.#linger?.cancel();
    this.#linger = undefined;
  }

  #closed(reader: FillReader): void {
    this.#open.delete(reader);
    if (this.#open.size === 0) this.#events.lastLeft();
  }
}

type ReaderEvents = Pick<ReadersEvents, "unreadable"> & { readonly closed: (reader: FillReader) => void };

export class FillReader implements BlobReader {
  readonly #content: Content;
  readonly #asked: Reading;
  readonly #events: ReaderEvents;
  #offset: number;
  #parked: Parked | undefined;
  #detour: BlobReader | undefined;
  #failure: GranaryError | undefined;
  #isClosed = false;
  #isTaking = false;
  /** The disk gives nothing back: what is present is of no use to this reader. */
  #isUnreadable = false;

  constructor(content: Content, asked: Reading, events: ReaderEvents) {
    this.#content = content;
    this.#asked = asked;
    this.#events = events;
    this.#offset = asked.start;
  }

  /** It was given bytes, or is being given some: a read under way has chosen its bytes already. */
  get hasBytes(): boolean {
    return this.#isTaking || this.#offset > this.#asked.start;
  }

  async read(into: Uint8Array): Promise<number> {
    for (;;) {
      if (this.#isClosed) throw closed();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#detour !== undefined) return await this.#detour.read(into);
      const count = this.#isUnreadable ? 0 : this.#content.readable(this.#rest);
      if (count > 0) {
        const taken = await this.#take(into.subarray(0, Math.min(count, into.length)));
        if (taken > 0) return taken;
        continue;
      }
      // Only from where nothing is present: what is, is never asked for again (F6).
      this.#detour = this.#content.detour(this.#rest);
      if (this.#detour !== undefined) continue;
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
    this.#detour?.close();
    this.#parked?.leave();
    this.#events.closed(this);
  }

  get #rest(): Reading {
    return { ...this.#asked, start: this.#offset };
  }

  /** A whole reader is at its end only when the digest is known to be right, also of an empty blob. */
  #isAtEnd(): boolean {
    const end = Math.min(this.#asked.end, this.#content.end);
    return this.#offset >= end && !this.#content.isHeldBack(this.#rest);
  }

  /** F2: never short. A range of a blob whose size nobody knew may turn out to lie beyond its end. */
  async #complete(): Promise<number> {
    const { end } = this.#asked;
    if (this.#offset >= end) return 0;
    if (end === Number.POSITIVE_INFINITY) {
      // F18: its last bytes were given before anybody knew that they are the last.
      if (await this.#content.isUnchanged()) return 0;
      throw changed();
    }
    const size = this.#content.end;
    const message = `The blob has ${size} bytes; ${formatRange(this.#asked)} was asked for.`;
    throw new GranaryError("range-unsatisfiable", message, { expected: end, found: size });
  }

  async #take(into: Uint8Array): Promise<number> {
    this.#isTaking = true;
    const count = await this.#readAt(into);
    // F18: all that a slow reader was given was read by now, and must be what was hashed.
    const isLast = this.#asked.isWhole && count > 0 && this.#offset + count === this.#asked.end;
    if (isLast && !(await this.#content.isUnchanged())) this.#failure ??= changed();
    this.#isTaking = false;
    // A reader that was failed or closed while it read must not hand out what it read.
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) throw closed();
    this.#offset += count;
    this.#content.taken(this.#rest);
    return count;
  }

  /** 0 when the disk failed and the reader goes on without it. */
  async #readAt(into: Uint8Array): Promise<number> {
    try {
      return await this.#content.read(this.#offset, into);
    } catch (error) {
      if (!isGranaryError(error, "store-damaged")) throw error;
      this.#events.unreadable(error);
      this.#isUnreadable = true;
      return 0;
    }
  }

  async #park(): Promise<void> {
    const parked = this.#content.park(this.#rest);
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

function outside(digest: Digest, range: ByteRange, size: number): GranaryError {
  const message = `${formatRange(range)} is not inside ${digest}, which has ${size} bytes.`;
  return new GranaryError("range-unsatisfiable", message, { expected: size, found: formatRange(range) });
}
