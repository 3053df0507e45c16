/**
 * Owns what each entry of a layer does: to the model of the tree first, then to the disk. Layers come bottom first, entries in
 * the order of their archive; where a name leads is decided by resolve.ts, never by the file system.
 */
import { parseEntryName, refused } from "./entry-name.ts";
import type { ExtractedTree } from "./extracted-tree.ts";
import { makeLink, makeSymlink } from "./links.ts";
import type { Entry } from "./read-entries.ts";
import { lookUp, lookUpDirectory, placeOf } from "./resolve.ts";
import { clear, put, whiteOut } from "./tree-model.ts";
import { writeBody } from "./write-body.ts";

/**
 * Unpacks `entries` as layer number `layer`, and returns when all of it is on disk. Throws `manifest-invalid`, `store-full`,
 * `store-damaged`, and what `entries` throws.
 */
export async function unpackLayer(
  tree: ExtractedTree,
  entries: AsyncIterable<Entry>,
  layer: number,
): Promise<void> {
  for await (const entry of entries) {
    tree.check();
    tree.caps.countEntry();
    await applyEntry(tree, withoutPrivileges(tree, entry), layer);
  }
  await tree.queue.drain();
}

const SETUID_OR_SETGID = 0o6000;
const STICKY = 0o1000;

/**
 * A setuid program of root in the image would belong to whoever extracts it, and would run with that person's rights for everybody:
 * such bits stay only where they were asked for. The sticky bit of a directory (as of /tmp) takes rights away, and stays.
 */
function withoutPrivileges({ keepsSpecialBits, warnings }: ExtractedTree, entry: Entry): Entry {
  const { kind, mode, name } = entry;
  if (keepsSpecialBits || (kind !== "file" && kind !== "directory")) return entry;
  const dropped = mode & (kind === "file" ? SETUID_OR_SETGID | STICKY : SETUID_OR_SETGID);
  if (dropped === 0) return entry;
  warnings.add("privileges", name);
  return { ...entry, mode: mode & ~dropped };
}

async function applyEntry(tree: ExtractedTree, entry: Entry, layer: number): Promise<void> {
  const name = parseEntryName(entry.name);
  switch (name.kind) {
    case "bookkeeping":
      return tree.warnings.add("bookkeeping", entry.name);
    case "root":
      return placeRoot(tree, entry);
    case "opaque": {
      const found = lookUpDirectory(tree.root, name.path);
      if (found !== undefined) await tree.carryOut(clear(found.node, found.path, layer));
      return;
    }
    case "whiteout": {
      const found = lookUp(tree.root, name.path);
      if (found !== undefined) await tree.carryOut(whiteOut(found, layer));
      return;
    }
    case "place":
      if (entry.kind === "special") return tree.warnings.add("special", entry.name);
      return await placeEntry(tree, entry, name.path, layer);
  }
}

function placeRoot({ root }: ExtractedTree, { kind, name, mode, mtime }: Entry): void {
  if (kind !== "directory") throw refused(name, "the root can only be a directory");
  Object.assign(root, { mode, mtime });
}

async function placeEntry(
  tree: ExtractedTree,
  entry: Entry,
  path: readonly string[],
  layer: number,
): Promise<void> {
  const { name, kind, mode, mtime, size, linkName } = entry;
  if (entry.hasAttributes) tree.warnings.add("attributes", name);
  if (name.includes("\uFFFD") || linkName.includes("\uFFFD")) tree.warnings.add("encoding", name);
  const { place, changes } = placeOf(tree.root, path, layer);
  await tree.carryOut(changes);
  if (kind === "link") return await makeLink(tree, place, linkName, layer);
  if (kind === "symlink") return await makeSymlink(tree, place, { kind, layer, mtime, target: linkName });
  if (kind === "directory") {
    return await tree.carryOut(put(place, { kind, layer, mode, mtime, children: new Map() }));
  }
  const node = { kind: "file", layer, mode, mtime, size } as const;
  await tree.carryOut(put(place, node));
  await writeBody(tree, place.path, node, entry.body);
}
