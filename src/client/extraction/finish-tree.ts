/**
 * Owns the end of an extraction: copies in place of symbolic links that the file system refused, then modes and times of the
 * directories, the deepest first. Until then every directory is ours alone, so that any mode in an image can be filled.
 */
import { copyLinked } from "./copy-linked.ts";
import { finishDirectory } from "./finish-directory.ts";
import type { DirectoryNode, SymlinkNode } from "./tree.ts";
import { diskPath, type Workshop } from "./workshop.ts";

type At<T> = { readonly node: T; readonly path: readonly string[] };

/**
 * Calls `onDone` with how many of how many entries of the tree are done: files and links are when they come to this. Throws
 * `manifest-invalid`, `store-full`, `store-damaged`.
 */
export async function finishTree(
  shop: Workshop,
  onDone: (done: number, total: number) => void,
): Promise<void> {
  const left: Left = { links: [], directories: [], ready: 0 };
  collect(shop, { node: shop.root, path: [] }, left);
  const total = left.ready + left.links.length + left.directories.length;
  let done = 0;
  const onMore = (count: number) => {
    done += count;
    onDone(done, total);
  };
  onMore(0);
  if (left.ready > 0) onMore(left.ready);
  for (const { path } of left.links) {
    await copyLinked(shop, path);
    onMore(1);
  }
  for (const { node, path } of left.directories) {
    shop.check();
    await finishDirectory(shop, node, diskPath(shop, path));
    onMore(1);
  }
}

type Left = {
  /** That the file system refused. */
  readonly links: At<SymlinkNode>[];
  /** Children before their directory. */
  readonly directories: At<DirectoryNode>[];
  /** Entries with nothing left to do. */
  ready: number;
};

function collect(shop: Workshop, { node, path }: At<DirectoryNode>, left: Left): void {
  for (const [name, child] of node.children) {
    const at = [...path, name];
    if (child.kind === "directory") collect(shop, { node: child, path: at }, left);
    else if (child.kind === "symlink" && shop.unmade.has(child)) left.links.push({ node: child, path: at });
    else left.ready += 1;
  }
  left.directories.push({ node, path });
}
