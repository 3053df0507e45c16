/**
 * Owns the files that an archive is put into while it is read: nameless from the start, so that nothing is left behind however
 * the process ends. Closing one frees its room.
 */
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { remove } from "../../files/disk.ts";
import { onDisk } from "../../files/disk-error.ts";
import { OpenFile } from "../../files/open-file.ts";
import { throwIfAborted } from "../../waiting/abort.ts";

export type TemporaryOptions = {
  /** Where temporary files are made; the system's directory for them by default. Needs the room of the unpacked archive. */
  readonly temporaryDirectory?: string;
  /** Ends the work with `aborted`. */
  readonly signal?: AbortSignal;
};

/** A file with the bytes of `chunks`. Throws `store-full`, `store-damaged`, `aborted`, and what `chunks` throws. */
export async function temporaryFile(
  chunks: AsyncIterable<Uint8Array>,
  { temporaryDirectory = tmpdir(), signal }: TemporaryOptions,
): Promise<OpenFile> {
  const file = await createNameless(temporaryDirectory);
  try {
    let size = 0;
    for await (const chunk of chunks) {
      throwIfAborted(signal, "unpacking the archive");
      await file.write(size, [chunk]);
      size += chunk.length;
    }
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function createNameless(directory: string): Promise<OpenFile> {
  const path = join(directory, `granary-${randomUUID()}`);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
  const file = await onDisk(`creating a temporary file in ${directory}`, OpenFile.open(path, flags));
  try {
    await remove(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
