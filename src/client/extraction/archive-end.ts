/**
 * Owns the question where a tar archive ends: at two empty blocks in the place of a header (pax(1)). tar-stream reads on after
 * them, as `tar --ignore-zeros` does; Go's reader, and so every container engine, stops. It is shown what tar-stream is given, and
 * told of the entries that tar-stream finds.
 */
import type { Header } from "tar-stream";

const BLOCK = 512;
const MARK = 2 * BLOCK;

export class ArchiveEnd {
  #chunk: Uint8Array = new Uint8Array(0);
  /** Where `#chunk` begins in the archive. */
  #start = 0;
  /** Where it ends; its memory may be given back meanwhile. */
  #end = 0;
  /** Where the next header is, or the mark. */
  #next = 0;
  /** Empty bytes seen from `#next` on; undefined when one was not. */
  #zeros: number | undefined = 0;
  #isReached = false;

  get isReached(): boolean {
    return this.#isReached;
  }

  /** Where the last chunk ends, when that is inside an entry's bytes; else the parser may hold a part of it. */
  get endInsideEntry(): number | undefined {
    return this.#next > this.#end ? this.#end : undefined;
  }

  /** To be called before the parser gets `chunk`, which has dealt with all before. */
  onChunk(chunk: Uint8Array): void {
    this.look();
    this.#start = this.#end;
    this.#end += chunk.length;
    this.#chunk = chunk;
  }

  /** To be called when the parser comes upon an entry; one after the mark does not count. */
  onEntry(header: Header): void {
    this.look();
    if (this.#isReached) return;
    const length = header.type === "directory" ? 0 : header.size;
    this.#next = offsetOf(header) + Math.ceil(length / BLOCK) * BLOCK;
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

/** Where the bytes of an entry begin in the archive; tar-stream gives it, but its types lack it. */
export function offsetOf(header: Header & { readonly byteOffset?: number }): number {
  return header.byteOffset ?? 0;
}
