/** Owns one blob as a stream of chunks, for what takes async iterables. It verifies nothing itself: its reader does. */
import type { Descriptor } from "../oci/descriptor.ts";
import type { Repository } from "../oci/reference.ts";
import type { Source } from "../source.ts";
import type { OnProgress } from "./progress.ts";
import { openBlob } from "./read-blob.ts";
import type { VerbOptions } from "./verb-options.ts";

/** What the network delivers at once. */
const CHUNK_BYTES = 64 * 1024;

type ReadOptions = Omit<VerbOptions, "onProgress"> & { readonly onProgress?: OnProgress | undefined };

/**
 * The bytes of the whole blob; the last ones come only when the digest is right. Each chunk is the reader's own. `onProgress`
 * hears of every chunk. Throws what `openBlob`'s reader throws; leaving early closes the connection.
 */
export async function* readBlobChunks(
  source: Source,
  repository: Repository,
  wanted: Pick<Descriptor, "digest" | "size">,
  { onProgress, ...options }: ReadOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = openBlob(source, repository, wanted, options);
  try {
    for (let done = 0; ; ) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const count = await reader.read(chunk);
      if (count === 0) return;
      done += count;
      onProgress?.({ phase: "fetch", done, total: wanted.size });
      yield chunk.subarray(0, count);
    }
  } finally {
    reader.close();
  }
}
