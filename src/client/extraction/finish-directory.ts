/** Owns the last touch of a directory: the mode and time that the image gives it. */
import { onDisk } from "../../files/disk-error.ts";
import type { DirectoryNode } from "./tree.ts";
import type { Workshop } from "./workshop.ts";

/** Nothing may be written below `path` afterwards. Throws `store-damaged`. */
export async function finishDirectory(
  { writer }: Workshop,
  { mode, mtime }: DirectoryNode,
  path: string,
): Promise<void> {
  const facts = mtime === undefined ? { mode } : { mode, mtime };
  await onDisk(`finishing ${path}`, writer.finishDirectory(path, facts));
}
