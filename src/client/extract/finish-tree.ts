/**
 * Owns the end of an extraction: copies in place of symbolic links that the file system refused, then modes and times of the
 * directories, the deepest first. Until then every directory is ours alone, so that any mode in an image can be filled.
 */
import { copyLinked } from "./copy-linked.ts";
import { finishDirectory } from "./finish-directory.ts";
import type { DirectoryNode, SymlinkNode } from "./tree.ts";
import { diskPath, type Workshop } from "./workshop.ts";

type At<T> = { readonly node: T; readonly path: readonly string[] };

/** Calls `onDone` with how many of how many steps are done. Throws `manifest-invalid`, `store-full`, `store-damaged`. */
export async function finishTree(
  shop: Workshop,
  onDone: (done: number, total: number) => void,
): Promise<void> {
  const links: At<SymlinkNode>[] = [];
  const directories: At<DirectoryNode>[] = [];
  collect(shop, { node: shop.root, path: [] }, directories, links);
  const total = links.length + directories.length;
  let done = 0;
  onDone(done, total);
  for (const { path } of links) {
    await copyLinked(shop, path);
    onDone(++done, total);
  }
  for (const { node, path } of directories) {
    shop.check();
    await finishDirectory(shop, node, diskPath(shop, path));
    onDone(++done, total);
  }
}

/** Children before their directory. */
function collect(
  shop: Workshop,
  { node, path }: At<DirectoryNode>,
  directories: At<DirectoryNode>[],
  links: At<SymlinkNode>[],
): void {
  for (const [name, child] of node.children) {
    const at = [...path, name];
    if (child.kind === "directory") collect(shop, { node: child, path: at }, directories, links);
    if (child.kind === "symlink" && shop.unmade.has(child)) links.push({ node: child, path: at });
  }
  directories.push({ node, path });
}
