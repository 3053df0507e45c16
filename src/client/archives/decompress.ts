/**
 * Owns compression: which kind it is, told by the first bytes because media types are often wrong, and the unpacking of a stream: gzip
 * of any number of members, zstd of any number of frames, else as it is. It never holds more than a few chunks.
 */
import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { GranaryError, messageOf } from "../../errors.ts";
import type { StoredBytes } from "./archive-files.ts";
import { splitZstdFrames } from "./zstd-frames.ts";

export type Compression = "none" | "gzip" | "zstd";

type Chunks = AsyncIterable<Uint8Array>;

/** Large enough that one trip to the thread pool and back is small beside its work. */
const CHUNK = 256 * 1024;
/** Lets the unpacking run ahead of whoever reads, on its own thread. */
const AHEAD = { chunkSize: CHUNK, readableHighWaterMark: 4 * CHUNK };
/** How many bytes tell the kind. */
const HEAD_LENGTH = 4;

export type DecompressOptions = {
  /** Hears of each chunk that will not be looked at again, so that its memory can be used anew; not of plain ones. */
  readonly onUsed?: (chunk: Uint8Array) => void;
};

/**
 * The plain bytes of `chunks`. Zeros after the last gzip member are padding, as gzip(1) has it; anything else after the end
 * is an error, as it is to Go's readers. Throws `manifest-invalid` for damaged data, and what `chunks` throws.
 */
export async function* decompress(
  chunks: Chunks,
  { onUsed = () => undefined }: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    const head = await readHead(iterator);
    yield* unpack(head, rejoin(head, iterator), onUsed);
  } finally {
    await iterator.return?.();
  }
}

/** How `stored` is compressed. */
export async function compressionOf(stored: StoredBytes): Promise<Compression> {
  const head = new Uint8Array(HEAD_LENGTH);
  const count = await stored.read(0, head);
  return kindOf(head.subarray(0, count));
}

/** By magic numbers (RFC 1952, 2.3.1; RFC 8878, 3.1.1 and 3.1.2: a zstd stream may begin with a frame that is to be skipped). */
function kindOf(head: Uint8Array): Compression {
  if (startsWith(head, [0x1f, 0x8b])) return "gzip";
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return "zstd";
  const isSkippable = startsWith(head.subarray(1), [0x2a, 0x4d, 0x18]) && ((head[0] ?? 0) & 0xf0) === 0x50;
  return isSkippable ? "zstd" : "none";
}

function unpack(head: Uint8Array, chunks: Chunks, onUsed: (chunk: Uint8Array) => void): Chunks {
  switch (kindOf(head)) {
    case "none":
      return chunks;
    case "gzip":
      return through("gzip", telling(chunks, onUsed), createGunzip(AHEAD));
    case "zstd":
      return through("zstd", splitZstdFrames(telling(chunks, onUsed)), createZstdDecompress(AHEAD));
  }
}

/** A consumer that asks for the next chunk does not need the one before any more. */
async function* telling(chunks: Chunks, onUsed: (chunk: Uint8Array) => void): Chunks {
  for await (const chunk of chunks) {
    yield chunk;
    onUsed(chunk);
  }
}

async function* through(kind: string, chunks: Chunks, decoder: Transform): Chunks {
  const source: { failure?: unknown } = {};
  // This ends when the decoder is destroyed, or when its source ends.
  void feed(chunks, decoder).catch((error) => {
    // The decoder's own errors come out of the loop below as well; an error of the source has to be handed to the decoder.
    if (decoder.errored === null) source.failure = error;
    decoder.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    for await (const chunk of decoder as AsyncIterable<Uint8Array>) yield chunk;
  } catch (error) {
    throw source.failure ?? damaged(kind, error);
  } finally {
    decoder.destroy();
  }
}

/** One chunk at a time: when the write returns, the decoder does not need its memory any more. */
async function feed(chunks: Chunks, decoder: Transform): Promise<void> {
  for await (const chunk of chunks) {
    if (decoder.destroyed) return;
    await new Promise<void>((resolve, reject) => {
      decoder.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
  }
  decoder.end();
}

async function readHead(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < HEAD_LENGTH) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  return head;
}

async function* rejoin(head: Uint8Array, iterator: AsyncIterator<Uint8Array>): Chunks {
  if (head.length > 0) yield head;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

function damaged(kind: string, error: unknown): GranaryError {
  const message = `The ${kind} data is damaged or cut off: ${messageOf(error)}.`;
  return new GranaryError("manifest-invalid", message, { cause: error });
}
