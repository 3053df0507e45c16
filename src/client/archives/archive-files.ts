/**
 * Owns the port to the files of an archive, whether they lie in a tar or in a folder, and the ways to read the bytes of one of them:
 * as chunks, or whole where they are few. A name is only a key: nothing may ever be created by one.
 */
import { GranaryError } from "../../errors.ts";
import { throwIfAborted } from "../../waiting/abort.ts";

/** index.json and manifest.json list images: one with thousands of them is still read. */
export const MAX_LIST_BYTES = 16 * 1024 * 1024;

const CHUNK_BYTES = 1024 * 1024;

/** The bytes of one file, to be read at any place. */
export interface StoredBytes {
  readonly size: number;
  /** Reads at most `into.length` bytes at `offset`; returns how many, 0 at the end. Throws `closed`, `store-damaged`. */
  read(offset: number, into: Uint8Array): Promise<number>;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface ArchiveFiles {
  /** Where they lie, for messages. */
  readonly path: string;
  /** The plain file `name`, links inside the archive followed; undefined when there is none. The caller closes it. */
  open(name: string): Promise<StoredBytes | undefined>;
  /** Ends all reads (`closed`). Idempotent. */
  close(): Promise<void>;
}

/** Bytes in memory, of a document that was made here. */
export function storedInMemory(bytes: Uint8Array): StoredBytes {
  return {
    size: bytes.length,
    async read(offset, into) {
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
    close: async () => undefined,
  };
}

/**
 * Exactly the bytes `[start, end)`, in chunks that are the reader's own. Throws `upstream-protocol` when the file has become
 * shorter, `aborted`, `closed`. Does not close `stored`.
 */
export async function* chunksOf(
  stored: StoredBytes,
  { start = 0, end = stored.size, signal }: { start?: number; end?: number; signal?: AbortSignal } = {},
): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; ) {
    throwIfAborted(signal, "reading the archive");
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
