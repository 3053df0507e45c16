/** Owns the sequential ways to read stored bytes: as chunks, or whole where they are few. It never reads past the size. */
import { GranaryError } from "../../errors.ts";
import { abortedError } from "../../waiting/abort.ts";
import type { StoredBytes } from "./archive-files.ts";

const CHUNK_BYTES = 1024 * 1024;

/**
 * Exactly the bytes `[start, end)`, in chunks that are the reader's own. Throws `upstream-protocol` when the file has become
 * shorter, `aborted`, `closed`. Does not close `stored`.
 */
export async function* chunksOf(
  stored: StoredBytes,
  { start = 0, end = stored.size, signal }: { start?: number; end?: number; signal?: AbortSignal } = {},
): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; ) {
    if (signal?.aborted) throw abortedError(signal, "reading the archive");
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - at));
    const count = await stored.read(at, chunk);
    if (count === 0)
      throw new GranaryError("upstream-protocol", `The archive ended at ${at} of ${end} bytes.`);
    yield chunk.subarray(0, count);
    at += count;
  }
}

/** All of it. `what` names it in the sentence of `manifest-invalid`, which is thrown above `limit` bytes. */
export async function readStored(stored: StoredBytes, limit: number, what: string): Promise<Uint8Array> {
  if (stored.size > limit) {
    const message = `${what} has ${stored.size} bytes; at most ${limit} are read into memory.`;
    throw new GranaryError("manifest-invalid", message, { expected: limit, found: stored.size });
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(stored)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
