/**
 * Owns what each entry of a layer does: to the model of the tree first, then to the disk. Layers come bottom first, entries in
 * the order of their archive; where a name leads is decided by resolve.ts, never by the file system.
 */

import { carryOut } from "./carry-out.ts";
import { parseEntryName, refused } from "./entry-name.ts";
import { makeLink, makeSymlink } from "./make-link.ts";
import type { Entry } from "./read-entries.ts";
import { lookUp, lookUpDirectory, placeOf } from "./resolve.ts";
import { clear, put, whiteOut } from "./tree.ts";
import type { Workshop } from "./workshop.ts";
import { writeBody } from "./write-body.ts";

/**
 * Unpacks `entries` as layer number `layer`, and returns when all of it is on disk. Throws `manifest-invalid`, `store-full`,
 * `store-damaged`, and what `entries` throws.
 */
export async function unpackLayer(
  shop: Workshop,
  entries: AsyncIterable<Entry>,
  layer: number,
): Promise<void> {
  for await (const entry of entries) {
    shop.check();
    shop.limits.countEntry();
    await applyEntry(shop, withoutPrivileges(shop, entry), layer);
  }
  await shop.queue.drain();
}

const SETUID_OR_SETGID = 0o6000;
const STICKY = 0o1000;

/**
 * A program of root's in an image would be one of whoever extracts it, and run as him for everybody: such bits stay only where they were asked
 * for. The sticky bit of a directory takes rights away (/tmp), and stays.
 */
function withoutPrivileges({ keepsSpecialBits, warnings }: Workshop, entry: Entry): Entry {
  const { kind, mode, name } = entry;
  if (keepsSpecialBits || (kind !== "file" && kind !== "directory")) return entry;
  const dropped = mode & (kind === "file" ? SETUID_OR_SETGID | STICKY : SETUID_OR_SETGID);
  if (dropped === 0) return entry;
  warnings.add("privileges", name);
  return { ...entry, mode: mode & ~dropped };
}

async function applyEntry(shop: Workshop, entry: Entry, layer: number): Promise<void> {
  const name = parseEntryName(entry.name);
  switch (name.kind) {
    case "bookkeeping":
      return shop.warnings.add("bookkeeping", entry.name);
    case "root":
      return placeRoot(shop, entry);
    case "opaque": {
      const found = lookUpDirectory(shop.root, name.path);
      if (found !== undefined) await carryOut(shop, clear(found.node, found.path, layer));
      return;
    }
    case "whiteout": {
      const found = lookUp(shop.root, name.path);
      if (found !== undefined) await carryOut(shop, whiteOut(found, layer));
      return;
    }
    case "place":
      if (entry.kind === "special") return shop.warnings.add("special", entry.name);
      return await placeEntry(shop, entry, name.path, layer);
  }
}

function placeRoot({ root }: Workshop, { kind, name, mode, mtime }: Entry): void {
  if (kind !== "directory") throw refused(name, "the root can only be a directory");
  Object.assign(root, { mode, mtime });
}

async function placeEntry(
  shop: Workshop,
  entry: Entry,
  path: readonly string[],
  layer: number,
): Promise<void> {
  const { name, kind, mode, mtime, size, linkName } = entry;
  if (entry.hasAttributes) shop.warnings.add("attributes", name);
  if (name.includes("\uFFFD") || linkName.includes("\uFFFD")) shop.warnings.add("encoding", name);
  const { place, changes } = placeOf(shop.root, path, layer);
  await carryOut(shop, changes);
  if (kind === "link") return await makeLink(shop, place, linkName, layer);
  if (kind === "symlink") return await makeSymlink(shop, place, { kind, layer, mtime, target: linkName });
  if (kind === "directory") {
    return await carryOut(shop, put(place, { kind, layer, mode, mtime, children: new Map() }));
  }
  const node = { kind: "file", layer, mode, mtime, size } as const;
  await carryOut(shop, put(place, node));
  await writeBody(shop, place.path, node, entry.body);
}
