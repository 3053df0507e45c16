/**
 * Owns the model of the tree that is being extracted: what lies where, and which layer put it there. Pure. Because extraction
 * begins in an empty directory that nobody else writes to, the model is the truth, and names are resolved here and never by
 * the file system. What must happen on disk comes back as a list of changes.
 */

export type FileNode = {
  readonly kind: "file";
  readonly layer: number;
  /** Bytes. */
  readonly size: number;
  /** Permissions with setuid, setgid and sticky. */
  readonly mode: number;
  /** Seconds since the epoch, with fraction. */
  readonly mtime: number;
};

export type SymlinkNode = {
  readonly kind: "symlink";
  readonly layer: number;
  /** As the archive has it; it may point anywhere. */
  readonly target: string;
  readonly mtime: number;
};

export type DirectoryNode = {
  readonly kind: "directory";
  /** Where an entry of its own last placed it; a directory that only names below it imply has the layer of the first. */
  layer: number;
  mode: number;
  /** Undefined for a directory without an entry of its own. */
  mtime: number | undefined;
  readonly children: Map<string, Node>;
};

export type Node = FileNode | SymlinkNode | DirectoryNode;

/** One thing to do on disk; `path` lists names below the root, none of them a symbolic link. */
export type TreeChange =
  | { readonly do: "make"; readonly path: readonly string[] }
  | { readonly do: "remove"; readonly path: readonly string[]; readonly node: Node };

/** A place in a directory, whether something is there or not. */
export type TreePlace = {
  readonly directory: DirectoryNode;
  readonly name: string;
  readonly path: readonly string[];
};

const IMPLIED_MODE = 0o755;

export function impliedDirectory(layer: number): DirectoryNode {
  return { kind: "directory", layer, mode: IMPLIED_MODE, mtime: undefined, children: new Map() };
}

/**
 * Puts `node` at `place`. A directory is merged into a directory that is there; anything else replaces what is there, which
 * is then in the list of changes. The node itself is the caller's to write, a new directory is in the list too.
 */
export function put(place: TreePlace, node: Node): TreeChange[] {
  const { directory, name, path } = place;
  const existing = directory.children.get(name);
  if (existing?.kind === "directory" && node.kind === "directory") {
    Object.assign(existing, { layer: node.layer, mode: node.mode, mtime: node.mtime });
    return [];
  }
  directory.children.set(name, node);
  const changes: TreeChange[] = existing === undefined ? [] : [{ do: "remove", path, node: existing }];
  if (node.kind === "directory") changes.push({ do: "make", path });
  return changes;
}

/** Takes away what lower layers put at `place` and below it; what `layer` itself put there stays (docs/protocol.md#whiteouts). */
export function whiteOut({ directory, name, path }: TreePlace, layer: number): TreeChange[] {
  const node = directory.children.get(name);
  if (node === undefined) return [];
  const isLower = node.layer < layer;
  if (isLower && (node.kind !== "directory" || !holdsLayer(node, layer))) {
    directory.children.delete(name);
    return [{ do: "remove", path, node }];
  }
  if (node.kind !== "directory") return [];
  // What the lower layers said of it is gone; what stays is a directory that the names below it imply.
  if (isLower) Object.assign(node, { layer, mode: IMPLIED_MODE, mtime: undefined });
  return clear(node, path, layer);
}

/** Takes away what lower layers put below `directory`, which itself stays (docs/protocol.md#whiteouts). */
export function clear(directory: DirectoryNode, path: readonly string[], layer: number): TreeChange[] {
  const names = [...directory.children.keys()];
  return names.flatMap((name) => whiteOut({ directory, name, path: [...path, name] }, layer));
}

function holdsLayer(directory: DirectoryNode, layer: number): boolean {
  for (const child of directory.children.values()) {
    if (child.layer >= layer || (child.kind === "directory" && holdsLayer(child, layer))) return true;
  }
  return false;
}
