/**
 * Owns how a complete, verified Partial gets its final name. The name appears only after the bytes are on the disk, so whoever opens it
 * finds the whole or nothing. It must never close the partial: its readers go on with the same file.
 */
import { constants } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { GranaryError } from "../errors.ts";
import { onDisk } from "../files/disk-error.ts";
import { syncDirectory } from "../files/durable-file.ts";
import { type FileLook, OpenFile } from "../files/open-file.ts";
import type { Digest } from "../oci/digest.ts";
import { removePartialMap } from "./file-partial.ts";
import type { PartialFiles } from "./layout.ts";
import type { Partial } from "./partial.ts";

export type Adoption = {
  readonly partial: Partial;
  readonly digest: Digest;
  readonly files: PartialFiles;
  /** On the same file system as `files`: a rename cannot cross. What lies there is replaced. */
  readonly path: string;
  /** Permission bits of the file from then on. */
  readonly mode: number;
};

/** Of a copy, read and written at once. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * The order of the steps is the contract: the name appears only after the bytes are on the disk, and the map is deleted only after the
 * name would survive a power cut. A crash between any two steps leaves the partial or the blob. Throws `digest-mismatch` and
 * `size-mismatch` for a partial that is not this digest whole, `store-full`, `store-damaged`. Returns what the file looks like under
 * its name.
 */
export async function adoptFile({ partial, digest, files, path, mode }: Adoption): Promise<FileLook> {
  checkAdoptable(partial, digest);
  if (!(await partial.holdsItsFile())) await copyPartial(partial, files.data);
  const file = await onDisk(`opening ${files.data}`, OpenFile.open(files.data, constants.O_RDONLY));
  try {
    await file.chmod(mode);
    await file.sync();
    await onDisk(`renaming ${files.data} to ${path}`, rename(files.data, path));
    await syncDirectory(dirname(path));
    await removePartialMap(files);
    return await file.look();
  } finally {
    await file.close();
  }
}

/** Throws `digest-mismatch` for a partial of another digest, `size-mismatch` for one with holes. */
export function checkAdoptable(partial: Partial, digest: Digest): void {
  if (partial.digest !== digest) {
    throw new GranaryError("digest-mismatch", `The partial of ${partial.digest} cannot become ${digest}.`, {
      expected: digest,
      found: partial.digest,
    });
  }
  if (partial.present.covers({ start: 0, end: partial.size })) return;
  throw new GranaryError(
    "size-mismatch",
    `The partial of ${digest} has ${partial.present.total} of ${partial.size} bytes and cannot be adopted.`,
    { expected: partial.size, found: partial.present.total, target: digest },
  );
}

/**
 * Writes all of `partial`, which must be whole, to a new file `path`: its own file was removed under it, and lives on only behind the open
 * descriptor. So its bytes need not cross the internet again. Never overwrites a file. Throws `store-full`, `store-damaged`; nothing is
 * left then.
 */
async function copyPartial(partial: Partial, path: string): Promise<void> {
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
