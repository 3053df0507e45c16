/** Owns the bytes of one layer on their way in: read one after another, counted, and read to the end whatever happens above. */
import type { BlobReader } from "../../source.ts";

export type LayerInput = {
  /** May be left early. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /**
   * Reads what is left, `most` bytes of it: a reader gives its verdict on the digest with its last bytes. Throws what the reader
   * throws.
   */
  drain(most?: number): Promise<void>;
};

const BLOCK = 256 * 1024;
const LEAST = 32 * 1024;

/** `onBytes` hears of every byte that came, also those of `drain`. The caller closes `reader`. */
export function layerInput(reader: BlobReader, onBytes: (count: number) => void): LayerInput {
  let block = Buffer.allocUnsafeSlow(BLOCK);
  // A reader takes one call at a time, and whoever left `chunks` early may have left one behind.
  let last: Promise<Uint8Array> = Promise.resolve(block);
  const next = () => {
    last = last.then(readOnce);
    return last;
  };
  return { chunks: untilEnd(next), drain: (most = Number.POSITIVE_INFINITY) => drain(next, most) };

  async function readOnce(): Promise<Uint8Array> {
    const count = await reader.read(block);
    const bytes = block.subarray(0, count);
    block = block.length - count < LEAST ? Buffer.allocUnsafeSlow(BLOCK) : block.subarray(count);
    onBytes(count);
    return bytes;
  }
}

async function* untilEnd(next: () => Promise<Uint8Array>): AsyncIterable<Uint8Array> {
  for (let bytes = await next(); bytes.length > 0; bytes = await next()) yield bytes;
}

async function drain(next: () => Promise<Uint8Array>, most: number): Promise<void> {
  for (let left = most; left > 0; ) {
    const { length } = await next();
    if (length === 0) return;
    left -= length;
  }
}
