/**
 * Owns the end of an extraction: copies in place of symbolic links that the file system refused, then modes and times of the
 * directories, the deepest first. Until then every directory is ours alone, so that any mode in an image can be filled.
 */
import type { ExtractedTree } from "./extracted-tree.ts";
import { copyLinked } from "./links.ts";
import type { DirectoryNode, SymlinkNode } from "./tree-model.ts";

type At<T> = { readonly node: T; readonly path: readonly string[] };

/** What is left to do when all layers are unpacked, and how many entries the tree has. */
export type Unfinished = {
  /** That the file system refused. */
  readonly links: readonly At<SymlinkNode>[];
  /** Children before their directory. */
  readonly directories: readonly At<DirectoryNode>[];
  /** Entries with nothing left to do: files, and links that were made. */
  readonly ready: number;
};

export function unfinishedOf(tree: ExtractedTree): Unfinished {
  const links: At<SymlinkNode>[] = [];
  const directories: At<DirectoryNode>[] = [];
  let ready = 0;
  const collect = ({ node, path }: At<DirectoryNode>) => {
    for (const [name, child] of node.children) {
      const at = [...path, name];
      if (child.kind === "directory") collect({ node: child, path: at });
      else if (child.kind === "symlink" && tree.refusedLinks.has(child))
        links.push({ node: child, path: at });
      else ready += 1;
    }
    directories.push({ node, path });
  };
  collect({ node: tree.root, path: [] });
  return { links, directories, ready };
}

/** Calls `onDone` with how many more entries are done. Throws `manifest-invalid`, `store-full`, `store-damaged`. */
export async function finishTree(
  tree: ExtractedTree,
  { links, directories }: Unfinished,
  onDone: (count: number) => void,
): Promise<void> {
  for (const { path } of links) {
    await copyLinked(tree, path);
    onDone(1);
  }
  for (const { node, path } of directories) {
    tree.check();
    await tree.finishDirectory(path, node);
    onDone(1);
  }
}
