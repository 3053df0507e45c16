/** Owns the bytes of a reader as chunks, each its own memory, until its end. It neither opens a reader nor closes one. */

/** What can be read into memory: returns how many bytes it put there, 0 after the last one. */
type Readable = { read(into: Uint8Array): Promise<number> };

const CHUNK_BYTES = 1024 * 1024;

/** Throws what `reader` throws. Whoever leaves early, or fails, closes the reader, as after the end. */
export async function* chunksUntilEnd(reader: Readable): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = new Uint8Array(CHUNK_BYTES);
    const count = await reader.read(chunk);
    if (count === 0) return;
    yield chunk.subarray(0, count);
  }
}
