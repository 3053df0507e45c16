/**
 * Owns the port to the files of an archive, whether they lie in a tar or in a folder, and the bytes of one of them. A name is
 * only a key: nothing may ever be created by one.
 */

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

/** Bytes that were made here and lie in no file. */
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
