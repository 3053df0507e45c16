/** Owns the question how much room there is, and the refusal to begin where an image cannot fit even as it is compressed. */
import { statfs } from "node:fs/promises";
import { formatBytes } from "../../bytes/units.ts";
import { GranaryError } from "../../errors.ts";
import { onDisk } from "../../files/disk-error.ts";

/** Free bytes for us on the disk of `directory`. Throws `store-full` where `least` are not. */
export async function freeSpace(directory: string, least: number): Promise<number> {
  const { bavail, bsize } = await onDisk(`looking at ${directory}`, statfs(directory));
  const free = bavail * bsize;
  if (free >= least) return free;
  const message = `The layers alone have ${formatBytes(least)}, and the disk has room for ${formatBytes(free)}: make room, or name another place.`;
  throw new GranaryError("store-full", message, { expected: least, found: free });
}
