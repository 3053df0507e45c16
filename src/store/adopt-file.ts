/**
 * Owns the way of a complete, verified Partial to its final name. A name appears only after its bytes are on the disk, so a
 * reader of the name finds the whole or nothing. It must never close the partial: its readers go on with the same file.
 */
import { constants } from "node:fs";
import { rename } from "node:fs/promises";
import { dirname } from "node:path";
import { GranaryError } from "../errors.ts";
import { onDisk } from "../files/disk-error.ts";
import { syncDirectory } from "../files/durable-file.ts";
import { type FileLook, OpenFile } from "../files/open-file.ts";
import type { Digest } from "../oci/digest.ts";
import { copyPartial } from "./copy-partial.ts";
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

/**
 * The order of the steps is the contract: the name appears only after the bytes are on the disk, and the map goes only
 * after the name is lasting. A crash between any two leaves the partial or the whole. Throws `digest-mismatch` and
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
    `The partial of ${digest} holds ${partial.present.total} of ${partial.size} bytes and cannot be adopted.`,
    { expected: partial.size, found: partial.present.total, target: digest },
  );
}
