/**
 * Owns the way of a file's bytes to disk: small files side by side, large ones in parts as they come. Memory is bounded by the
 * queue and one part.
 */
import { onDisk } from "../../store/disk-error.ts";
import type { FileNode } from "./tree.ts";
import type { GrowingFile } from "./tree-writer.ts";
import { diskPath, type Workshop } from "./workshop.ts";

/** Up to here a file is written at once, by the queue. */
const PART = 1024 * 1024;

/** Returns when `body` is read to its end; a small file may be under way still. Throws `store-full`, `store-damaged`. */
export async function writeBody(
  shop: Workshop,
  names: readonly string[],
  node: FileNode,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  const path = diskPath(shop, names);
  const doing = `writing ${names.join("/")}`;
  if (node.size > PART) return await onDisk(doing, writeInParts(shop, path, node, body));
  const buffers: Uint8Array[] = [];
  if (node.size > 0) for await (const chunk of body) buffers.push(chunk);
  await shop.queue.add(node.size, () => onDisk(doing, shop.writer.writeFile(path, node, buffers)));
}

async function writeInParts(
  shop: Workshop,
  path: string,
  node: FileNode,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  const file = await shop.writer.createFile(path);
  try {
    await appendAll(shop, file, body);
  } catch (error) {
    await file.giveUp();
    throw error;
  }
  await file.finish(node);
}

async function appendAll(shop: Workshop, file: GrowingFile, body: AsyncIterable<Uint8Array>): Promise<void> {
  let part: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    part.push(chunk);
    length += chunk.length;
    if (length < PART) continue;
    shop.check();
    await file.append(part);
    part = [];
    length = 0;
  }
  if (length > 0) await file.append(part);
}
