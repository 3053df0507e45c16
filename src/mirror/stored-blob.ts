/** Owns readers of a committed blob: positional reads of one open file, clipped to the range (F2). It holds no bytes. */
import type { ByteRange } from "../bytes/byte-range.ts";
import { GranaryError } from "../errors.ts";
import type { BlobReader, ReadableBlob } from "../source.ts";
import type { StoredBlob } from "../store/blob-store.ts";

/** `stored` as a ReadableBlob; its release also closes the file. `damaged` hears of a file that ends too early. */
export function openStoredBlob(
  stored: StoredBlob,
  release: () => void,
  damaged: (reason: string) => Promise<void>,
): ReadableBlob {
  let isOpen = true;
  return {
    digest: stored.digest,
    size: stored.size,
    reader: (range) => new StoredReader(stored, range ?? { start: 0, end: stored.size }, damaged),
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
  readonly #end: number;
  readonly #damaged: (reason: string) => Promise<void>;
  #offset: number;
  #isClosed = false;

  constructor(stored: StoredBlob, range: ByteRange, damaged: (reason: string) => Promise<void>) {
    this.#stored = stored;
    this.#offset = range.start;
    this.#end = range.end;
    this.#damaged = damaged;
  }

  async read(into: Uint8Array): Promise<number> {
    if (this.#isClosed) throw new GranaryError("closed", "The reader was closed.");
    const left = this.#end - this.#offset;
    if (left <= 0) return 0;
    const count = await this.#stored.read(this.#offset, left < into.length ? into.subarray(0, left) : into);
    if (count === 0) return await this.#tooShort();
    this.#offset += count;
    return count;
  }

  close(): void {
    this.#isClosed = true;
  }

  async #tooShort(): Promise<never> {
    const { digest, size } = this.#stored;
    const reason = `the file ends at byte ${this.#offset} of ${size}`;
    await this.#damaged(reason);
    throw new GranaryError("store-damaged", `${digest} on disk is damaged: ${reason}.`, {
      expected: size,
      found: this.#offset,
    });
  }
}
