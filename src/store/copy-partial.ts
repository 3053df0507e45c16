/**
 * Owns the second life of a Partial whose file was removed under it: the bytes live on behind its open descriptor, and are written
 * to a new file of the old name, so that they need not cross the internet again. It never overwrites a file that is somebody else's.
 */
import { constants } from "node:fs";
import { rm } from "node:fs/promises";
import { onDisk } from "../files/disk-error.ts";
import { OpenFile } from "../files/open-file.ts";
import type { Partial } from "./partial.ts";

const CHUNK_BYTES = 1024 * 1024;

/** All of `partial`, which must be whole, in a new file `path`. Throws `store-full`, `store-damaged`; nothing is left then. */
export async function copyPartial(partial: Partial, path: string): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  const file = await onDisk(`creating ${path}`, OpenFile.open(path, flags));
  try {
    await copyInto(file, partial);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

async function copyInto(file: OpenFile, partial: Partial): Promise<void> {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, partial.size));
  for (let offset = 0; offset < partial.size; ) {
    const left = partial.size - offset;
    const count = await partial.read(offset, left < buffer.length ? buffer.subarray(0, left) : buffer);
    if (count === 0)
      throw new Error(`The file of ${partial.digest} ends at byte ${offset} of ${partial.size}.`);
    await file.write(offset, [buffer.subarray(0, count)]);
    offset += count;
  }
}
