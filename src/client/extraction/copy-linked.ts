/**
 * Owns the copy that stands in for a symbolic link on a file system without links: a file, or a whole tree, found in the
 * model, so that the order of links does not matter. What it copies counts against the caps: trees of links grow without end.
 */

import { onDisk } from "../../files/disk-error.ts";
import { refused } from "./entry-name.ts";
import { finishDirectory } from "./finish-directory.ts";
import { copyFile } from "./make-link.ts";
import { follow } from "./resolve.ts";
import type { DirectoryNode } from "./tree.ts";
import { diskPath, type Workshop } from "./workshop.ts";

type Job = {
  /** Names of the link, or of what was found in a tree that a link leads to. */
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Directories that are being copied now; one of them again would have no end. */
  readonly above: ReadonlySet<DirectoryNode>;
};

/** Throws `manifest-invalid` for links that go round in a circle, `store-full`, `store-damaged`. */
export async function copyLinked(shop: Workshop, path: readonly string[]): Promise<void> {
  await copy(shop, { from: path, to: path, above: new Set(directoriesOn(shop.root, path)) });
}

async function copy(shop: Workshop, { from, to, above }: Job): Promise<void> {
  const found = follow(shop.root, from);
  const shown = to.join("/");
  if (found === "loop")
    throw refused(shown, "its symbolic links go round in a circle, so it cannot be copied");
  if (typeof found === "string" || found.node.kind === "symlink") return shop.warnings.add("dangling", shown);
  const { node } = found;
  if (node.kind === "file") {
    return await copyFile(shop, diskPath(shop, to), diskPath(shop, found.path), node);
  }
  if (above.has(node)) return shop.warnings.add("endless", shown);
  await copyTree(shop, node, { from: found.path, to, above: new Set([...above, node]) });
}

async function copyTree(shop: Workshop, directory: DirectoryNode, { from, to, above }: Job): Promise<void> {
  const path = diskPath(shop, to);
  shop.limits.countEntry();
  await onDisk(`making ${to.join("/")}`, shop.writer.makeDirectory(path));
  for (const name of directory.children.keys()) {
    await copy(shop, { from: [...from, name], to: [...to, name], above });
  }
  await finishDirectory(shop, directory, path);
}

function directoriesOn(root: DirectoryNode, path: readonly string[]): DirectoryNode[] {
  const way = [root];
  for (const name of path.slice(0, -1)) {
    const next = way.at(-1)?.children.get(name);
    if (next?.kind === "directory") way.push(next);
  }
  return way;
}
