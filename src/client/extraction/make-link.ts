/**
 * Owns links: hard ones to what the model has, symbolic ones with their text untouched, and what becomes of both where the file
 * system takes none. It never links to what lies outside the root: it takes no path but the model's.
 */
import { errnoOf, onDisk } from "../../files/disk-error.ts";
import { carryOut } from "./carry-out.ts";
import { parseLinkName, refused } from "./entry-name.ts";
import { lookUp } from "./resolve.ts";
import { type FileNode, type Place, put, type SymlinkNode } from "./tree.ts";
import { diskPath, type Workshop } from "./workshop.ts";

/** Azure Files and SMB say EACCES (LocalAI issue 10477), FAT EPERM, others ENOTSUP; EMLINK is one link too many on one file. */
const UNLINKABLE = new Set(["ENOTSUP", "EOPNOTSUPP", "EPERM", "EACCES", "ENOSYS", "EMLINK"]);

/** Puts a symbolic link at `place`; one that the file system refuses is left to the end of the extraction. */
export async function makeSymlink(shop: Workshop, place: Place, node: SymlinkNode): Promise<void> {
  const { target, mtime } = node;
  if (target === "" || target.includes("\0")) throw refused(place.path.join("/"), "it is a link to nothing");
  await carryOut(shop, put(place, node));
  const path = diskPath(shop, place.path);
  await shop.queue.add(0, () =>
    tryLink(
      `linking ${place.path.join("/")}`,
      () => shop.writer.symlink(path, target, mtime),
      () => shop.unmade.add(node),
    ),
  );
}

/** Puts a hard link to `linkName` at `place`, or a copy. Throws `manifest-invalid` where there is no such file. */
export async function makeLink(shop: Workshop, place: Place, linkName: string, layer: number): Promise<void> {
  const shown = place.path.join("/");
  const found = lookUp(shop.root, parseLinkName(linkName));
  if (found === undefined || found.node.kind === "directory") {
    throw refused(shown, `it is a hard link to "${linkName.slice(0, 200)}", which is no file of the image`);
  }
  if (found.directory === place.directory && found.name === place.name) return;
  if (place.path.every((name, index) => found.path[index] === name)) {
    throw refused(shown, "it is a hard link to what lies in the directory that it replaces");
  }
  const node = { ...found.node, layer };
  await carryOut(shop, put(place, node));
  if (node.kind === "symlink" && found.node.kind === "symlink" && shop.unmade.has(found.node)) {
    shop.unmade.add(node);
    return;
  }
  const [path, existing] = [diskPath(shop, place.path), diskPath(shop, found.path)];
  // What it links to may be under way still.
  await shop.queue.drain();
  await tryLink(
    `linking ${shown}`,
    () => shop.writer.link(path, existing),
    () => (node.kind === "file" ? copyFile(shop, path, existing, node) : void shop.unmade.add(node)),
  );
}

/** A copy counts like an entry of its own. Throws `store-full`, `store-damaged`. */
export async function copyFile(
  shop: Workshop,
  path: string,
  existing: string,
  node: FileNode,
): Promise<void> {
  shop.check();
  shop.limits.countEntry();
  shop.limits.countBytes(node.size);
  await onDisk(`copying ${existing}`, shop.writer.copyFile(path, existing, node));
}

async function tryLink(doing: string, link: () => Promise<void>, otherwise: () => unknown): Promise<void> {
  try {
    await link();
  } catch (error) {
    if (!UNLINKABLE.has(errnoOf(error) ?? "")) return await onDisk(doing, Promise.reject(error));
    await otherwise();
  }
}
