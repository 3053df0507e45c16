/**
 * Owns the readers of a Fill. Each asks the Content for its next bytes, parks while they are not present, and gets exactly its range or an
 * error (F2). A reader buffers no bytes (F7), and its end affects nothing else (F5). FillReaders knows how many there are, and when
 * nobody has read for a while (F13). It is long because the two share what nobody else may see: when a reader counts.
 */
import { type ByteRange, formatRange } from "../bytes/byte-range.ts";
import { GranaryError, isGranaryError } from "../errors.ts";
import type { MoveBytes } from "../files/open-file.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import { isBackground, PURPOSES, type Purpose, rankOf, type Wanting } from "../purpose.ts";
import type { BlobReader } from "../source.ts";
import type { Content, Reading } from "./content.ts";
import type { BlobFacts } from "./lane.ts";
import type { Parked } from "./waits.ts";

/** What a Fill is told about its readers. */
export type ReadersEvents = {
  /** The disk fails to read bytes that are present. Throws when the readers cannot go on without the disk; the reader throws the same. */
  readonly unreadable: (error: GranaryError) => void;
  readonly lastLeft: () => void;
  /** `lingerMs` have passed since the last one left. */
  readonly unread: () => void;
  /** The most urgent purpose of those who read is another one now. */
  readonly purposeChanged: () => void;
};

export type ReadersParts = {
  readonly content: Content;
  readonly blob: BlobFacts;
  readonly clock: Clock;
  /** undefined when the fill goes on even if nobody reads. */
  readonly lingerMs: number | undefined;
};

export class FillReaders {
  readonly #parts: ReadersParts;
  readonly #events: ReadersEvents;
  readonly #open = new Set<FillReader>();
  #linger: Timer | undefined;
  /** How many of the open ones have each purpose, the most urgent first. */
  readonly #purposes = PURPOSES.map(() => 0);
  /** Of the last reader that left. */
  #lastPurpose: Purpose = "ahead";

  constructor(parts: ReadersParts, events: ReadersEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  get count(): number {
    return this.#open.size;
  }

  /**
   * The most urgent purpose of those who read at this moment. What goes on for a while after the last one left is read ahead for the next
   * client, or is what the last one wanted it for.
   */
  get purpose(): Purpose {
    const urgent = PURPOSES[this.#purposes.findIndex((count) => count > 0)];
    return urgent ?? (isBackground(this.#lastPurpose) ? this.#lastPurpose : "ahead");
  }

  /** Oldest first. */
  [Symbol.iterator](): Iterator<FillReader> {
    return this.#open.values();
  }

  /** Throws `range-unsatisfiable` for a range that is not inside the size: a reader would wait forever for a byte past the end. */
  open(
    range: ByteRange | undefined,
    ahead: readonly ByteRange[] | undefined,
    wanting: Wanting = UNNAMED,
  ): FillReader {
    const { digest, size: end = Number.POSITIVE_INFINITY } = this.#parts.blob;
    for (const one of [range ?? [], ahead ?? []].flat())
      if (one.start < 0 || one.end > end) throw outside(digest, one, end);
    const { purpose } = wanting;
    const asked = { ...(range ?? { start: 0, end }), ahead, purpose, isWhole: range === undefined };
    const whose = { wanting, since: this.#parts.clock.now() };
    const reader = new FillReader(this.#parts.content, asked, whose, {
      unreadable: this.#events.unreadable,
      closed: (closed) => this.#closed(closed),
    });
    this.#open.add(reader);
    this.#count(purpose, 1);
    this.stopLinger();
    return reader;
  }

  /** Readers that were given bytes, or are being given some, fail with `error`. */
  failThoseWithBytes(error: GranaryError): void {
    for (const reader of this.#open) if (reader.hasBytes) reader.fail(error);
  }

  /** When nobody reads, calls `unread` after lingerMs, unless a reader comes before. */
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
    this.#lastPurpose = reader.wanting.purpose;
    this.#count(this.#lastPurpose, -1);
    if (this.#open.size === 0) this.#events.lastLeft();
  }

  #count(purpose: Purpose, change: 1 | -1): void {
    const before = this.purpose;
    const rank = rankOf(purpose);
    this.#purposes[rank] = (this.#purposes[rank] ?? 0) + change;
    if (this.purpose !== before) this.#events.purposeChanged();
  }
}

type ReaderEvents = Pick<ReadersEvents, "unreadable"> & { readonly closed: (reader: FillReader) => void };

/** Whoever does not say what for is a client that waits. */
const UNNAMED: Wanting = { purpose: "waited" };

type Whose = {
  readonly wanting: Wanting;
  /** Epoch ms. */
  readonly since: number;
};

export class FillReader implements BlobReader {
  readonly wanting: Wanting;
  /** When it came, epoch ms. */
  readonly since: number;
  readonly #content: Content;
  readonly #asked: Reading;
  readonly #events: ReaderEvents;
  #offset: number;
  #parked: Parked | undefined;
  #detour: BlobReader | undefined;
  #failure: GranaryError | undefined;
  #isClosed = false;
  #isTaking = false;
  /** The disk failed to read, so this reader does not use the bytes that are present. */
  #isUnreadable = false;

  constructor(content: Content, asked: Reading, { wanting, since }: Whose, events: ReaderEvents) {
    this.wanting = wanting;
    this.since = since;
    this.#content = content;
    this.#asked = asked;
    this.#events = events;
    this.#offset = asked.start;
  }

  /** It was given bytes, or is being given some: a running read counts, since its bytes are chosen already. */
  get hasBytes(): boolean {
    return this.#isTaking || this.#offset > this.#asked.start;
  }

  /** The next byte that it needs. */
  get at(): number {
    return this.#offset;
  }

  /** It waits for bytes that are not here, or for the verdict on the digest. */
  get isWaiting(): boolean {
    return this.#parked !== undefined;
  }

  async read(into: Uint8Array): Promise<number> {
    for (;;) {
      this.#throwIfOver();
      if (this.#detour !== undefined) return await this.#detour.read(into);
      const count = this.#isUnreadable ? 0 : this.#content.readable(this.#rest);
      if (count > 0) {
        const taken = await this.#take(into.subarray(0, Math.min(count, into.length)));
        if (taken > 0) return taken;
        continue;
      }
      // Only where the next byte is not present: present bytes are never fetched again (F6).
      this.#detour = this.#content.detour(this.#rest);
      if (this.#detour !== undefined) continue;
      if (this.#isAtEnd()) return await this.#complete();
      await this.#park();
    }
  }

  /** F2, F18: what is moved is given out, so a reader that was failed or closed meanwhile ends here like one that read. */
  async move(move: MoveBytes): Promise<number | undefined> {
    this.#throwIfOver();
    const isByFile = this.#detour === undefined && !this.#isUnreadable;
    const most = isByFile ? this.#content.movable(this.#rest) : 0;
    if (most === 0) return undefined;
    this.#isTaking = true;
    const moved = await this.#content.move(this.#offset, most, move).finally(() => {
      this.#isTaking = false;
    });
    this.#throwIfOver();
    if (moved !== undefined) this.#advance(moved);
    return moved;
  }

  /** The bytes that this reader was given can no longer be trusted: its next read throws `error`. */
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

  /** A reader of the whole blob is at its end only when the digest is known to be right, even if the blob is empty. */
  #isAtEnd(): boolean {
    const end = Math.min(this.#asked.end, this.#content.end);
    return this.#offset >= end && !this.#content.isHeldBack(this.#rest);
  }

  /** F2: a reader never ends early without an error. If nobody knew the size, the range may lie beyond the end. */
  async #complete(): Promise<number> {
    const { end } = this.#asked;
    if (this.#offset >= end) return 0;
    if (end === Number.POSITIVE_INFINITY) {
      // F18: its last bytes were given out before it was known that they are the last, so the file is checked here.
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
    // F18: all bytes of this reader were read from the file by now. If the file was written to since, they may not be what was hashed.
    const isLast = this.#asked.isWhole && count > 0 && this.#offset + count === this.#asked.end;
    if (isLast && !(await this.#content.isUnchanged())) this.#failure ??= changed();
    this.#isTaking = false;
    // A reader that was failed or closed while it read must not hand out what it read.
    this.#throwIfOver();
    this.#advance(count);
    return count;
  }

  #throwIfOver(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) throw closed();
  }

  #advance(count: number): void {
    this.#offset += count;
    this.#content.taken(this.#rest);
  }

  /** 0 when the disk failed, and the reader goes on without it. */
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
