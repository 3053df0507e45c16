/**
 * Owns the removal of an unpacked tree, also where the image's modes keep its owner out of his own directories. It follows no
 * symbolic link.
 */
import { chmod, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, onDisk } from "../../files/disk-error.ts";

/** What is not there is removed. Throws `store-damaged`. */
export async function removeTree(path: string): Promise<void> {
  const doing = `removing ${path}`;
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EACCES" || errno === "EPERM") await onDisk(doing, openUp(path));
    await onDisk(doing, rm(path, { recursive: true, force: true, maxRetries: 3 }));
  }
}

async function openUp(directory: string): Promise<void> {
  await chmod(directory, 0o700);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await openUp(join(directory, entry.name));
  }
}
