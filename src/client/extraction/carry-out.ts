/** Owns the changes of the tree that need no bytes: directories made, and what is replaced or hidden taken away. */
import { onDisk } from "../../files/disk-error.ts";
import type { Change } from "./tree.ts";
import { diskPath, type Workshop } from "./workshop.ts";

/** Does `changes` in order. Throws `store-full`, `store-damaged`. */
export async function carryOut(shop: Workshop, changes: readonly Change[]): Promise<void> {
  for (const change of changes) {
    const path = diskPath(shop, change.path);
    const shown = change.path.join("/");
    if (change.do === "make") await onDisk(`making ${shown}`, shop.writer.makeDirectory(path));
    else if (change.node.kind !== "symlink" || !shop.unmade.delete(change.node)) {
      // It may be under way still.
      await shop.queue.drain();
      const kind = change.node.kind === "directory" ? "directory" : "other";
      await onDisk(`removing ${shown}`, shop.writer.remove(path, kind));
    }
  }
}
