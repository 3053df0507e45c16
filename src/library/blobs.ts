/** Owns the library's function for single blobs: the caller's texts in, one client function bound to a Source. */
import { type FetchBlobOptions, type FetchedBlob, fetchBlobFrom } from "../client/fetching/fetch-blob.ts";
import { openBlob } from "../client/fetching/read-blob.ts";
import { parseDigest } from "../oci/digest.ts";
import { parseReference, type Repository } from "../oci/reference.ts";
import { isModelRepository, parseModelName } from "../ollama/model-name.ts";
import { untilAborted } from "../waiting/abort.ts";
import { withSource } from "./default-source.ts";
import type { LibraryOptions } from "./library-options.ts";

/**
 * Brings one blob to the file `path`: verified, over several connections when it is big, and in place only when it is whole. What
 * an earlier run left in `<path>.partial` is not fetched again; a file at `path` that is the blob already is left alone.
 *
 * `repository` is where the blob lies, such as `ghcr.io/org/app` or `registry.ollama.ai/library/gemma`; `digest` is
 * `sha256:<64 hex>`. Sizes are bytes. `onDescriptor` hears digest, size and media type before the first byte; `partial: "drop"`
 * leaves nothing behind when `signal` ends it.
 *
 * Throws GranaryError: `reference-invalid`, `digest-invalid`, `config-invalid`, `path-invalid`, `not-found`, `unauthorized`,
 * `denied`, `rate-limited`, `digest-mismatch`, `size-mismatch`, `upstream-unavailable`, `upstream-protocol`, `store-full`,
 * `store-damaged`; and the signal's reason (`aborted` without one).
 */
export async function fetchBlob(
  repository: string,
  digest: string,
  path: string,
  options: LibraryOptions & FetchBlobOptions = {},
): Promise<FetchedBlob> {
  const wanted = { repository: parseRepository(repository), digest: parseDigest(digest) };
  return await withSource(options, (source) => fetchBlobFrom(source, wanted, path, options));
}

const CHUNK_BYTES = 2 ** 20;

/**
 * Hands the bytes of one blob to `take`, in order, and keeps none: a chunk holds until `take` resolves. The last ones come only when the
 * digest is known to be right, so whoever gets to the end has the blob. Resolves with its size in bytes. Throws as `fetchBlob`, beside
 * what concerns files, and what `take` throws.
 */
export async function readBlob(
  repository: string,
  digest: string,
  take: (bytes: Uint8Array) => Promise<void>,
  options: LibraryOptions = {},
): Promise<number> {
  const wanted = { repository: parseRepository(repository), digest: parseDigest(digest) };
  return await withSource(options, async (source) => {
    const { signal, onProgress } = options;
    const size = await untilAborted(source.blobSize(wanted.repository, wanted.digest), signal);
    const reader = openBlob(source, wanted.repository, { digest: wanted.digest, size }, options);
    try {
      onProgress?.({ phase: "fetch", done: 0, total: size });
      const chunk = new Uint8Array(CHUNK_BYTES);
      let done = 0;
      for (let count = await reader.read(chunk); count > 0; count = await reader.read(chunk)) {
        await take(chunk.subarray(0, count));
        done += count;
        onProgress?.({ phase: "fetch", done, total: size });
      }
      return done;
    } finally {
      reader.close();
    }
  });
}

/** Models have upper case in their names where images may not: `hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF`. */
function parseRepository(text: string): Repository {
  try {
    return parseReference(text);
  } catch (error) {
    if (text.split("/").length !== 3 || !isModelRepository(text.slice(text.indexOf("/") + 1))) throw error;
    return parseModelName(text);
  }
}
