/**
 * Owns the question where a tar archive ends: at two empty blocks in the place of a header (pax(1)). tar-stream reads on behind
 * them, as `tar --ignore-zeros` does; Go's reader, and so every container engine, stops. It sees what tar-stream is given, and
 * hears of the entries that it finds.
 */
import type { Header } from "tar-stream";

const BLOCK = 512;
const MARK = 2 * BLOCK;

export class ArchiveEnd {
  #chunk: Uint8Array = new Uint8Array(0);
  /** Where `#chunk` begins in the archive. */
  #start = 0;
  /** Where the next header is, or the mark. */
  #next = 0;
  /** Empty bytes seen from `#next` on; undefined when one was not. */
  #zeros: number | undefined = 0;
  #isReached = false;

  get isReached(): boolean {
    return this.#isReached;
  }

  /** To be called before the parser gets `chunk`, which has dealt with all before. */
  onChunk(chunk: Uint8Array): void {
    this.look();
    this.#start += this.#chunk.length;
    this.#chunk = chunk;
  }

  /** To be called when the parser comes upon an entry; one behind the mark counts no more. */
  onEntry({ byteOffset = 0, size, type }: Header & { readonly byteOffset?: number }): void {
    this.look();
    if (this.#isReached) return;
    const length = type === "directory" ? 0 : size;
    this.#next = byteOffset + Math.ceil(length / BLOCK) * BLOCK;
    this.#zeros = 0;
  }

  /** Looks for the mark in what has come. */
  look(): void {
    if (this.#zeros === undefined || this.#isReached) return;
    const from = this.#next + this.#zeros - this.#start;
    for (let at = from; at < this.#chunk.length; at++) {
      if (this.#chunk[at] !== 0) {
        this.#zeros = undefined;
        return;
      }
      if (++this.#zeros === MARK) {
        this.#isReached = true;
        return;
      }
    }
  }
}
