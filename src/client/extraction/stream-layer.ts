/**
 * Owns the way of one layer: from its reader through unpacking, caps and diff ID into the tree. A layer counts only when its
 * last byte is read, because the reader's verdict on the digest comes with that.
 */
import { createHash } from "node:crypto";
import { GranaryError, isGranaryError } from "../../errors.ts";
import { algorithmOf, type Digest, finishDigest } from "../../oci/digest.ts";
import type { BlobReader } from "../../source.ts";
import { decompress } from "../archives/decompress.ts";
import { blobChunks } from "../fetching/blob-chunks.ts";
import type { ExtractedTree } from "./extracted-tree.ts";
import type { Layer } from "./layers-of.ts";
import { readEntries } from "./read-entries.ts";
import { unpackLayer } from "./unpack-layer.ts";

/**
 * How much more is read after an error in the archive to learn whether its bytes were wrong: a refused name at the beginning of a huge
 * layer is told before all of the layer has come.
 */
const MOST_FOR_VERDICT = 64 * 1024 * 1024;

/**
 * Unpacks layer number `index`; `onBytes` hears of its compressed bytes. Throws `digest-mismatch` for a wrong diff ID, and what
 * the reader throws, also where the damage of its bytes showed itself here first (and no more than 64 MiB were left).
 */
export async function streamLayer(
  tree: ExtractedTree,
  reader: BlobReader,
  { descriptor, diffId }: Layer,
  index: number,
  onBytes: (count: number) => void,
): Promise<void> {
  const input = blobChunks(reader, onBytes);
  const hash = createHash(algorithmOf(diffId));
  try {
    const plain = decompress(input.chunks, { onUsed: input.giveBack });
    await unpackLayer(tree, readEntries(counted(plain)), index);
  } catch (error) {
    if (!isGranaryError(error, "manifest-invalid")) throw error;
    await input.drain(MOST_FOR_VERDICT);
    throw inLayer(error, index, descriptor.digest);
  }
  await input.drain();
  const found = finishDigest(hash, algorithmOf(diffId));
  if (found !== diffId) throw wrongDiffId(index, diffId, found);

  async function* counted(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of chunks) {
      tree.check();
      tree.caps.countBytes(chunk.length);
      hash.update(chunk);
      yield chunk;
    }
  }
}

function inLayer(error: GranaryError, index: number, digest: Digest): GranaryError {
  const message = `Layer ${index + 1} (${digest}): ${error.message}`;
  return new GranaryError(error.code, message, { ...error.facts, cause: error });
}

function wrongDiffId(index: number, expected: Digest, found: Digest): GranaryError {
  const message = `Layer ${index + 1} unpacks to ${found}, and the image's config says ${expected}: the image is damaged, have it made again.`;
  return new GranaryError("digest-mismatch", message, { expected, found });
}
