/**
 * Owns the bytes of one blob as chunks that are read one after another, counted, and read to the end also when whoever unpacks them
 * has stopped early: the verdict on the digest comes with the last of them.
 */
import type { BlobReader } from "../../source.ts";

export type BlobChunks = {
  /** May be left early. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Takes a chunk back, to read into it again: a new one for each read would keep the garbage collector busy. */
  giveBack(chunk: Uint8Array): void;
  /**
   * Reads what is left, at most `most` bytes of it. Throws what the reader throws.
   */
  drain(most?: number): Promise<void>;
};

const BLOCK = 64 * 1024;

/** `onBytes` hears of every byte that came, also those of `drain`. The caller closes `reader`. */
export function blobChunks(reader: BlobReader, onBytes: (count: number) => void): BlobChunks {
  const lent = new Set<ArrayBuffer>();
  const free: ArrayBuffer[] = [];
  // A reader takes one call at a time, and whoever left `chunks` early may have left one running.
  let last: Promise<Uint8Array> = Promise.resolve(new Uint8Array(0));
  const next = () => {
    last = last.then(readOnce);
    return last;
  };
  return {
    chunks: untilEnd(next),
    drain: (most = Number.POSITIVE_INFINITY) => drain(next, most),
    giveBack({ buffer }) {
      if (buffer instanceof ArrayBuffer && lent.delete(buffer)) free.push(buffer);
    },
  };

  async function readOnce(): Promise<Uint8Array> {
    const buffer = free.pop() ?? new ArrayBuffer(BLOCK);
    const bytes = new Uint8Array(buffer, 0, await reader.read(new Uint8Array(buffer)));
    lent.add(buffer);
    onBytes(bytes.length);
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
