/**
 * Owns readers of a committed blob: positional reads of one open file, clipped to the range (F2). It holds no bytes. Where the file
 * cannot be read on, the rest comes from elsewhere: a bad sector is no reason to break off what a client is half through.
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import { GranaryError } from "../errors.ts";
import type { BlobReader, ReadableBlob } from "../source.ts";
import type { StoredBlob } from "../store/blob-store.ts";

/**
 * A reader of what `range` (the whole without one) still lacks from `offset` on, after `error`; undefined when there is none. Called
 * once for each reader.
 */
export type Elsewhere = (
  error: unknown,
  range: ByteRange | undefined,
  offset: number,
) => Promise<BlobReader | undefined>;

/** `stored` as a ReadableBlob; its release also closes the file. */
export function openStoredBlob(stored: StoredBlob, release: () => void, elsewhere: Elsewhere): ReadableBlob {
  let isOpen = true;
  return {
    digest: stored.digest,
    size: stored.size,
    reader: (range) => new StoredReader(stored, range, elsewhere),
    release: () => {
      if (!isOpen) return;
      isOpen = false;
      // Closing waits for reads in flight; a close that fails has nothing left to harm.
      stored.close().then(release, release);
    },
  };
}

class StoredReader implements BlobReader {
  readonly #stored: StoredBlob;
  readonly #range: ByteRange | undefined;
  readonly #end: number;
  readonly #elsewhere: Elsewhere;
  #offset: number;
  #rest: BlobReader | undefined;
  #isClosed = false;

  constructor(stored: StoredBlob, range: ByteRange | undefined, elsewhere: Elsewhere) {
    this.#stored = stored;
    this.#range = range;
    this.#offset = range?.start ?? 0;
    this.#end = range?.end ?? stored.size;
    this.#elsewhere = elsewhere;
  }

  async read(into: Uint8Array): Promise<number> {
    if (this.#isClosed) throw closedError();
    if (this.#rest !== undefined) return await this.#rest.read(into);
    const left = this.#end - this.#offset;
    if (left <= 0) return 0;
    const count = await this.#readFile(left < into.length ? into.subarray(0, left) : into);
    if (count === undefined) return await this.read(into);
    this.#offset += count;
    return count;
  }

  close(): void {
    this.#isClosed = true;
    this.#rest?.close();
  }

  /** undefined when the file gives no more, and the rest comes from elsewhere. */
  async #readFile(into: Uint8Array): Promise<number | undefined> {
    try {
      const count = await this.#stored.read(this.#offset, into);
      if (count > 0) return count;
      throw this.#tooShort();
    } catch (error) {
      const rest = this.#isClosed ? undefined : await this.#elsewhere(error, this.#range, this.#offset);
      if (rest === undefined) throw error;
      this.#rest = rest;
      if (this.#isClosed) rest.close();
      return undefined;
    }
  }

  #tooShort(): GranaryError {
    const { digest, size } = this.#stored;
    const reason = `the file ends at byte ${this.#offset} of ${size}`;
    return new GranaryError("store-damaged", `${digest} on disk is damaged: ${reason}.`, {
      expected: size,
      found: this.#offset,
    });
  }
}

function closedError(): GranaryError {
  return new GranaryError("closed", "The reader was closed.");
}
