/**
 * Owns the tar that is being written: entries one after another, each named only once its bytes are known, because the names of
 * blobs are their digests. So the header is written last, into the room that was left for it, and no entry is copied twice.
 */
import { type Header, pack } from "tar-stream";
import type { OpenFile } from "../../../files/open-file.ts";

const BLOCK_BYTES = 512;
/** What is written is the same whenever it is written. */
const FIXED = { mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), type: "file" } as const;

/** One entry is open at a time: `write`, then `commit` or `drop`. */
export class TarWriter {
  readonly #file: OpenFile;
  /** Where the next header goes: the tar is whole up to here. */
  #end = 0;
  #size = 0;

  constructor(file: OpenFile) {
    this.#file = file;
  }

  /** Bytes of the open entry so far. */
  get size(): number {
    return this.#size;
  }

  /** Appends to the open entry. Throws `store-full`, `store-damaged`. */
  async write(chunk: Uint8Array): Promise<void> {
    await this.#file.write(this.#end + BLOCK_BYTES + this.#size, [chunk]);
    this.#size += chunk.length;
  }

  /** The open entry becomes the file `name`. */
  async commit(name: string): Promise<void> {
    const content = this.#end + BLOCK_BYTES;
    const padding = (BLOCK_BYTES - (this.#size % BLOCK_BYTES)) % BLOCK_BYTES;
    await this.#file.write(content + this.#size, [new Uint8Array(padding)]);
    await this.#file.write(this.#end, [await headerOf({ ...FIXED, name, size: this.#size })]);
    this.#end = content + this.#size + padding;
    this.#size = 0;
  }

  /** The tar is again as it was before the open entry. */
  async drop(): Promise<void> {
    await this.#file.truncate(this.#end);
    this.#size = 0;
  }

  /** Two empty blocks end a tar. Its size, bytes. */
  async finish(): Promise<number> {
    await this.#file.write(this.#end, [new Uint8Array(2 * BLOCK_BYTES)]);
    return this.#end + 2 * BLOCK_BYTES;
  }
}

/** The names here are short and plain: one block each. */
async function headerOf(header: Partial<Header> & Pick<Header, "name">): Promise<Uint8Array> {
  const packer = pack();
  packer.entry(header);
  for await (const block of packer) if (block instanceof Uint8Array) return block;
  throw new Error(`tar-stream made no header for ${header.name}`);
}
