/**
 * Owns readers of a stored blob: they read one open file at offsets, within their range (F2), and keep no bytes. A file that this process
 * has not hashed yet is hashed while it is read, and the end of a whole waits for the verdict (F18). Where the file cannot be read any
 * further, the rest comes from elsewhere, so that a bad sector does not break off a client's download.
 */
import type { ByteRange } from "../../bytes/byte-range.ts";
import { GranaryError } from "../../errors.ts";
import type { MoveBytes } from "../../files/open-file.ts";
import type { Digest } from "../../oci/digest.ts";
import type { BlobReader, ReadableBlob } from "../../source.ts";
import type { OpenedBlob } from "../upkeep/sound-blobs.ts";

/**
 * A reader of what `range` (the whole without one) still lacks from `offset` on, after `error`; undefined when there is none. Called
 * once for each reader.
 */
export type Elsewhere = (
  error: unknown,
  range: ByteRange | undefined,
  offset: number,
) => Promise<BlobReader | undefined>;

/** F18: so much of a whole reader's end waits for the verdict; as much as a Fill holds back. */
const HELD_BACK = 64 * 1024;
/** Blobs up to this size wait from their start: hashing takes a few milliseconds, and no client gets any byte of a damaged one. */
const AT_ONCE = 4 * 1024 * 1024;
/** A file that changes while it is read is hashed again so often. */
const MOST_CHANGES = 3;

/** `opened` as a ReadableBlob; its release also closes the file. */
export function openStoredBlob(opened: OpenedBlob, release: () => void, elsewhere: Elsewhere): ReadableBlob {
  const { stored } = opened;
  let isOpen = true;
  return {
    digest: stored.digest,
    size: stored.size,
    reader: (range) => new StoredReader(opened, range, elsewhere),
    release: () => {
      if (!isOpen) return;
      isOpen = false;
      // Closing waits for reads in flight; a close that fails has nothing left to harm.
      stored.close().then(release, release);
    },
  };
}

class StoredReader implements BlobReader {
  readonly #opened: OpenedBlob;
  readonly #range: ByteRange | undefined;
  readonly #start: number;
  readonly #end: number;
  /** Where the bytes begin that wait for the verdict. */
  readonly #heldFrom: number;
  readonly #elsewhere: Elsewhere;
  readonly #closed = Promise.withResolvers<never>();
  #offset: number;
  /** The bytes are known to be right, or nobody waits for that. */
  #isSettled: boolean;
  #checking: Promise<boolean> | undefined;
  /** The bytes are known to be wrong. */
  #isWrong = false;
  #rest: BlobReader | undefined;
  #isClosed = false;

  constructor(opened: OpenedBlob, range: ByteRange | undefined, elsewhere: Elsewhere) {
    this.#opened = opened;
    this.#range = range;
    this.#start = range?.start ?? 0;
    this.#offset = this.#start;
    this.#end = range?.end ?? opened.stored.size;
    this.#heldFrom = heldFrom(opened, range);
    this.#isSettled = opened.knowledge === "verified";
    this.#elsewhere = elsewhere;
    this.#closed.promise.catch(() => undefined);
  }

  async read(into: Uint8Array): Promise<number> {
    for (;;) {
      if (this.#isClosed) throw closedError();
      if (this.#rest !== undefined) return await this.#rest.read(into);
      if (this.#isWrong) await this.#goElsewhere(this.#mismatch());
      else if (!this.#isSettled && !(await this.#mayGoOn())) continue;
      else {
        const count = await this.#next(into);
        if (count !== undefined) return count;
      }
    }
  }

  async move(move: MoveBytes): Promise<number | undefined> {
    if (this.#isClosed) throw closedError();
    const most = this.#movable - this.#offset;
    if (most <= 0 || this.#isWrong || this.#rest !== undefined) return undefined;
    const moved = await this.#opened.stored.move?.(this.#offset, most, move);
    if (moved !== undefined) this.#offset += moved;
    return moved;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#rest?.close();
    this.#closed.reject(closedError());
  }

  /** Up to where bytes need not be read: the last ones of a whole are given only when all of it is known to be right (F18). */
  get #movable(): number {
    const end = this.#range === undefined ? this.#end - HELD_BACK : this.#end;
    return this.#isSettled ? end : Math.min(end, this.#heldFrom);
  }

  /** undefined when these bytes may not be given, and the reader goes on elsewhere or fails. */
  async #next(into: Uint8Array): Promise<number | undefined> {
    const end = this.#isSettled ? this.#end : this.#heldFrom;
    const left = end - this.#offset;
    if (left <= 0) return 0;
    const count = await this.#readFile(left < into.length ? into.subarray(0, left) : into);
    if (count === undefined || this.#isWrong) return undefined;
    const isLast = this.#offset + count === this.#end;
    if (isLast && this.#range === undefined && !(await this.#isStillRight())) return undefined;
    this.#offset += count;
    return count;
  }

  /** Starts the hashing with the first read, and waits for it where bytes are held back. */
  async #mayGoOn(): Promise<boolean> {
    const waits = this.#heldFrom < this.#end || this.#range === undefined;
    this.#checking ??= this.#check(waits);
    if (!waits || this.#offset < this.#heldFrom) return true;
    await this.#verdict(this.#checking);
    this.#isSettled = !this.#isWrong;
    return this.#isSettled;
  }

  #check(isHurried: boolean): Promise<boolean> {
    const checking = this.#opened.check(isHurried);
    checking.then(
      (isSound) => {
        this.#isWrong ||= !isSound;
      },
      () => undefined, // Whoever waits for it hears of it.
    );
    return checking;
  }

  /** What cannot be hashed cannot be read either. */
  async #verdict(checking: Promise<boolean>): Promise<void> {
    try {
      this.#isWrong ||= !(await Promise.race([checking, this.#closed.promise]));
    } catch (error) {
      await this.#goElsewhere(error);
    }
  }

  /** F18: all of it has been read; nobody may have written to the file since it was hashed, however long the reading took. */
  async #isStillRight(): Promise<boolean> {
    const { stored } = this.#opened;
    for (let change = 0; change <= MOST_CHANGES; change++) {
      if (await stored.isVerified()) return true;
      await this.#verdict(this.#check(true));
      if (this.#isWrong || this.#rest !== undefined) return false;
    }
    throw new GranaryError("store-damaged", `${stored.digest} on disk changes while it is read.`);
  }

  /** undefined when the file gives no more, and the rest comes from elsewhere. */
  async #readFile(into: Uint8Array): Promise<number | undefined> {
    try {
      const count = await this.#opened.stored.read(this.#offset, into);
      if (count > 0) return count;
      throw this.#tooShort();
    } catch (error) {
      await this.#goElsewhere(error);
      return undefined;
    }
  }

  /** Throws `error` where there is nowhere to go; also where wrong bytes may have been given: a body goes on only with right ones. */
  async #goElsewhere(error: unknown): Promise<void> {
    const isSpoiled = this.#isWrong && this.#offset > this.#start;
    const rest =
      this.#isClosed || isSpoiled ? undefined : await this.#elsewhere(error, this.#range, this.#offset);
    if (rest === undefined) throw error;
    this.#rest = rest;
    if (this.#isClosed) rest.close();
  }

  #mismatch(): GranaryError {
    return damaged(this.#opened.stored.digest);
  }

  #tooShort(): GranaryError {
    const { digest, size } = this.#opened.stored;
    const reason = `the file ends at byte ${this.#offset} of ${size}`;
    return new GranaryError("store-damaged", `${digest} on disk is damaged: ${reason}.`, {
      expected: size,
      found: this.#offset,
    });
  }
}

/** A range of what an earlier process has hashed is not held back: its readers verify the whole themselves (F18). */
function heldFrom({ stored: { size }, knowledge }: OpenedBlob, range: ByteRange | undefined): number {
  if (range === undefined) return size <= AT_ONCE ? 0 : size - HELD_BACK;
  return knowledge === "unknown" ? range.start : range.end;
}

function damaged(digest: Digest): GranaryError {
  const reason = "the bytes on disk were damaged, and are fetched again for whoever asks next";
  return new GranaryError("digest-mismatch", `${digest}: ${reason}.`, { expected: digest, reason });
}

function closedError(): GranaryError {
  return new GranaryError("closed", "The reader was closed.");
}
