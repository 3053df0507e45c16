/**
 * Owns the reading of one header of a tar file at its place, long names and extended headers included. tar-stream parses;
 * the content of entries is never read, so that the index of a large archive costs a few small reads.
 */
import { pipeline, Readable } from "node:stream";
import { extract, type Header } from "tar-stream";
import type { StoredBytes } from "./archive-files.ts";

export const BLOCK_BYTES = 512;

/** tar-stream takes extended headers of up to 4 MiB, of which an entry can have a few. */
const MAX_HEADER_BLOCKS = (16 * 1024 * 1024) / BLOCK_BYTES;

/** Archives from before POSIX have no magic; its types do not know the option. */
const OPTIONS = { allowUnknownFormat: true, highWaterMark: BLOCK_BYTES };

export type TarHeader = {
  readonly header: Header;
  /** Offset of the first byte of the content. */
  readonly start: number;
};

/** The header at `offset`; undefined at the end of the archive. Throws plain errors for what is no header. */
export async function readTarHeader(tar: StoredBytes, offset: number): Promise<TarHeader | undefined> {
  const parser = extract(OPTIONS);
  // Both ends are destroyed when the loop is left; an error reaches the loop.
  pipeline(Readable.from(blocksFrom(tar, offset), { highWaterMark: 1 }), parser, () => undefined);
  for await (const entry of parser) {
    return { header: entry.header, start: offset + entry.offset + BLOCK_BYTES };
  }
  return undefined;
}

async function* blocksFrom(tar: StoredBytes, offset: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < MAX_HEADER_BLOCKS; index++) {
    const block = new Uint8Array(BLOCK_BYTES);
    const count = await tar.read(offset + index * BLOCK_BYTES, block);
    if (count === 0 && index === 0) return;
    if (count < BLOCK_BYTES) throw new Error("the file ends in the middle of a header");
    // Zeros end the archive; further on they can be part of a long name.
    if (index === 0 && block.every((byte) => byte === 0)) return;
    yield block;
  }
  throw new Error("a header is too long");
}
