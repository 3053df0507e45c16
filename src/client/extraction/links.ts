/**
 * Owns links: hard ones to what the model has, symbolic ones with their text untouched, and the copies that stand in for both where
 * the file system supports none. It never links to what lies outside the root: it takes no path but the model's.
 */
import { errnoOf } from "../../files/disk-error.ts";
import { parseLinkName, refused } from "./entry-name.ts";
import type { ExtractedTree } from "./extracted-tree.ts";
import { follow, lookUp } from "./resolve.ts";
import { type DirectoryNode, put, type SymlinkNode, type TreePlace } from "./tree-model.ts";

/** Azure Files and SMB say EACCES (mudler/LocalAI#10477), FAT EPERM, others ENOTSUP; EMLINK is one link too many on one file. */
const UNLINKABLE = new Set(["ENOTSUP", "EOPNOTSUPP", "EPERM", "EACCES", "ENOSYS", "EMLINK"]);

/** Puts a symbolic link at `place`; one that the file system refuses is left to the end of the extraction. */
export async function makeSymlink(tree: ExtractedTree, place: TreePlace, node: SymlinkNode): Promise<void> {
  const { target } = node;
  if (target === "" || target.includes("\0")) throw refused(place.path.join("/"), "it is a link to nothing");
  await tree.carryOut(put(place, node));
  await tree.queue.add(0, () =>
    tryLink(
      () => tree.symlink(place.path, node),
      () => tree.refusedLinks.add(node),
    ),
  );
}

/** Puts a hard link to `linkName` at `place`, or a copy. Throws `manifest-invalid` where there is no such file. */
export async function makeLink(
  tree: ExtractedTree,
  place: TreePlace,
  linkName: string,
  layer: number,
): Promise<void> {
  const shown = place.path.join("/");
  const found = lookUp(tree.root, parseLinkName(linkName));
  if (found === undefined || found.node.kind === "directory") {
    throw refused(shown, `it is a hard link to "${linkName.slice(0, 200)}", which is no file of the image`);
  }
  if (found.directory === place.directory && found.name === place.name) return;
  if (place.path.every((name, index) => found.path[index] === name)) {
    throw refused(shown, "it is a hard link to what lies in the directory that it replaces");
  }
  const node = { ...found.node, layer };
  await tree.carryOut(put(place, node));
  if (node.kind === "symlink" && found.node.kind === "symlink" && tree.refusedLinks.has(found.node)) {
    tree.refusedLinks.add(node);
    return;
  }
  // What it links to may not be written yet.
  await tree.queue.drain();
  await tryLink(
    () => tree.link(place.path, found.path),
    () =>
      node.kind === "file" ? tree.copyFile(place.path, found.path, node) : void tree.refusedLinks.add(node),
  );
}

async function tryLink(link: () => Promise<void>, otherwise: () => unknown): Promise<void> {
  try {
    await link();
  } catch (error) {
    if (!UNLINKABLE.has(errnoOf(error) ?? "")) throw error;
    await otherwise();
  }
}

type Copying = {
  /** Names of the link, or of what was found in a tree that a link leads to. */
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Directories that are being copied now; one of them again would have no end. */
  readonly above: ReadonlySet<DirectoryNode>;
};

/**
 * The copy of what the refused symbolic link at `path` leads to: a file, or a whole tree, found in the model, so that the order of
 * links does not matter. It counts against the caps, because trees of links can grow without end. Throws `manifest-invalid` for links that
 * go round in a circle, `store-full`, `store-damaged`.
 */
export async function copyLinked(tree: ExtractedTree, path: readonly string[]): Promise<void> {
  await copy(tree, { from: path, to: path, above: new Set(directoriesOn(tree.root, path)) });
}

async function copy(tree: ExtractedTree, { from, to, above }: Copying): Promise<void> {
  const found = follow(tree.root, from);
  const shown = to.join("/");
  if (found === "loop")
    throw refused(shown, "its symbolic links go round in a circle, so it cannot be copied");
  if (typeof found === "string" || found.node.kind === "symlink") return tree.warnings.add("dangling", shown);
  const { node } = found;
  if (node.kind === "file") return await tree.copyFile(to, found.path, node);
  if (above.has(node)) return tree.warnings.add("endless", shown);
  await copyDirectory(tree, node, { from: found.path, to, above: new Set([...above, node]) });
}

async function copyDirectory(
  tree: ExtractedTree,
  directory: DirectoryNode,
  { from, to, above }: Copying,
): Promise<void> {
  tree.caps.countEntry();
  await tree.makeDirectory(to);
  for (const name of directory.children.keys()) {
    await copy(tree, { from: [...from, name], to: [...to, name], above });
  }
  await tree.finishDirectory(to, directory);
}

function directoriesOn(root: DirectoryNode, path: readonly string[]): DirectoryNode[] {
  const way = [root];
  for (const name of path.slice(0, -1)) {
    const next = way.at(-1)?.children.get(name);
    if (next?.kind === "directory") way.push(next);
  }
  return way;
}
