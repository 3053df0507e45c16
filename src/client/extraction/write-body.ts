/**
 * Owns the way of a file's bytes to disk: small files side by side, large ones in parts as they come. Memory is bounded by the
 * queue and one part.
 */
import type { ExtractedTree } from "./extracted-tree.ts";
import type { FileNode } from "./tree-model.ts";

/** Up to here a file is written at once, by the queue. */
const PART = 1024 * 1024;
/** Smaller buffers are left to the garbage collector: to give them back by hand would cost more. */
const SMALL = 16 * 1024;

/**
 * Returns when `body` is read to its end; a small file may not be written yet. The bytes are copied, because a chunk is good
 * only until the next is asked for. Throws `store-full`, `store-damaged`, and what `body` throws.
 */
export async function writeBody(
  tree: ExtractedTree,
  names: readonly string[],
  node: FileNode,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  if (node.size > PART) return await writeInParts(tree, names, node, body);
  const bytes = node.size < SMALL ? Buffer.allocUnsafe(node.size) : Buffer.allocUnsafeSlow(node.size);
  if (node.size > 0) await readInto(bytes, body);
  await tree.queue.add(node.size, async () => {
    await tree.writeFile(names, node, bytes);
    if (node.size >= SMALL) bytes.buffer.transfer(0);
  });
}

async function readInto(bytes: Uint8Array, body: AsyncIterable<Uint8Array>): Promise<void> {
  let length = 0;
  for await (const chunk of body) {
    bytes.set(chunk, length);
    length += chunk.length;
  }
}

async function writeInParts(
  tree: ExtractedTree,
  names: readonly string[],
  node: FileNode,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  const file = await tree.createFile(names);
  try {
    for await (const part of partsOf(body)) {
      tree.check();
      await file.append(part);
    }
  } catch (error) {
    await file.giveUp();
    throw error;
  }
  await file.finish(node);
}

/** The same bytes in parts of one size, each good until the next is asked for: they share their memory. */
async function* partsOf(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const part = Buffer.allocUnsafeSlow(PART);
  let length = 0;
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; ) {
      const count = Math.min(chunk.length - at, PART - length);
      part.set(chunk.subarray(at, at + count), length);
      at += count;
      length += count;
      if (length < PART) continue;
      yield part;
      length = 0;
    }
  }
  if (length > 0) yield part.subarray(0, length);
  part.buffer.transfer(0);
}
