/**
 * Owns the walk through the model of the tree: where a path leads when the symbolic links on its way are followed as a
 * container would, with the extracted root as "/". Pure, and the one place that decides what is outside.
 */
import type { GranaryError } from "../../errors.ts";
import { refused } from "./entry-name.ts";
import {
  type DirectoryNode,
  impliedDirectory,
  type Node,
  put,
  type TreeChange,
  type TreePlace,
} from "./tree-model.ts";

/** As many as Linux follows (path_resolution(7)). */
const MOST_HOPS = 40;

type Found = { readonly node: Node; readonly path: readonly string[] };

/** Why a path leads nowhere. */
type Lost = "absent" | "outside" | "loop";

/**
 * The place that `path` names, its last name not followed. Directories that are missing on the way are implied: they are put
 * into the model and into `changes`; so is one in place of a lower layer's file. Throws `manifest-invalid` for a way that
 * leads out of the root, round in a circle, or below a file of the same layer.
 */
export function placeOf(
  root: DirectoryNode,
  path: readonly string[],
  layer: number,
): { readonly place: TreePlace; readonly changes: readonly TreeChange[] } {
  const changes: TreeChange[] = [];
  const parent = walk(root, path.slice(0, -1), (place, existing) => {
    if (existing?.kind === "file" && existing.layer === layer)
      throw refused(path.join("/"), "it lies below a file");
    const made = impliedDirectory(layer);
    changes.push(...put(place, made));
    return made;
  });
  if (typeof parent === "string") throw lostWay(path, parent);
  const name = path.at(-1) ?? "";
  return { place: { directory: parent.node, name, path: [...parent.path, name] }, changes };
}

/** What lies at `path`, its last name not followed; undefined where nothing does. Throws as `placeOf` does. */
export function lookUp(
  root: DirectoryNode,
  path: readonly string[],
): (TreePlace & { node: Node }) | undefined {
  const parent = walk(root, path.slice(0, -1), () => undefined);
  if (parent === "absent") return undefined;
  if (typeof parent === "string") throw lostWay(path, parent);
  const name = path.at(-1) ?? "";
  const node = parent.node.children.get(name);
  if (node === undefined) return undefined;
  return { directory: parent.node, name, path: [...parent.path, name], node };
}

/** The directory at `path`, links followed to the end; undefined where there is none. Throws as `placeOf` does. */
export function lookUpDirectory(
  root: DirectoryNode,
  path: readonly string[],
): { readonly node: DirectoryNode; readonly path: readonly string[] } | undefined {
  const found = walk(root, path, () => undefined);
  if (found === "absent") return undefined;
  if (typeof found === "string") throw lostWay(path, found);
  return found;
}

/** Where `path` leads when every link is followed, the last one too. */
export function follow(root: DirectoryNode, path: readonly string[], hops = 0): Found | Lost {
  const directory = walk(root, path, () => undefined);
  if (directory !== "absent") return directory;
  const names = path.filter((name) => name !== "" && name !== ".");
  const parent = walk(root, names.slice(0, -1), () => undefined);
  if (typeof parent === "string") return parent;
  const name = names.at(-1) ?? "";
  const node = parent.node.children.get(name);
  if (node?.kind === "file") return { node, path: [...parent.path, name] };
  if (node?.kind !== "symlink") return "absent";
  if (hops >= MOST_HOPS) return "loop";
  const target = node.target.split("/");
  return follow(root, node.target.startsWith("/") ? target : [...parent.path, ...target], hops + 1);
}

type Directory = { readonly node: DirectoryNode; readonly path: readonly string[] };

function lostWay(path: readonly string[], lost: Lost): GranaryError {
  if (lost === "loop") return refused(path.join("/"), "its symbolic links go round in a circle");
  return refused(path.join("/"), "a symbolic link on its way leads out of the root");
}

/**
 * Follows every name of `path` to a directory. `onMissing` gives the directory to use where there is none (what is `existing` there
 * instead is a file, or nothing), or undefined to end the walk.
 */
function walk(
  root: DirectoryNode,
  path: readonly string[],
  onMissing: (place: TreePlace, existing: Node | undefined) => DirectoryNode | undefined,
): Directory | Lost {
  const way: Directory[] = [];
  // Last first, so that the target of a link can be put in front of what is left.
  const ahead = path.toReversed();
  let hops = 0;
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (way.pop() === undefined) return "outside";
      continue;
    }
    const here = way.at(-1) ?? { node: root, path: [] };
    const existing = here.node.children.get(name);
    if (existing?.kind === "symlink") {
      if (++hops > MOST_HOPS) return "loop";
      if (existing.target.startsWith("/")) way.length = 0;
      ahead.push(...existing.target.split("/").reverse());
      continue;
    }
    const at = [...here.path, name];
    const node =
      existing?.kind === "directory"
        ? existing
        : onMissing({ directory: here.node, name, path: at }, existing);
    if (node === undefined) return "absent";
    way.push({ node, path: at });
  }
  return way.at(-1) ?? { node: root, path: [] };
}
