/**
 * Owns the opening of an archive that is one file: a tar, or a compressed tar, which is unpacked to a nameless temporary file
 * because compressed bytes cannot be read from the middle.
 */
import type { OpenFile } from "../../files/open-file.ts";
import type { ArchiveFiles } from "./archive-files.ts";
import { compressionOf } from "./compression.ts";
import { decompress } from "./decompress.ts";
import { chunksOf } from "./stored-chunks.ts";
import { openTarFiles, storedInFile } from "./tar-files.ts";
import { type TemporaryOptions, temporaryFile } from "./temporary-file.ts";

/**
 * Takes over `file`: it is closed with the result, and when this throws. `path` is for messages. Throws `path-invalid` for
 * what is no tar, `manifest-invalid` for damage, `store-full`, `store-damaged`, `aborted`.
 */
export async function openTar(
  file: OpenFile,
  path: string,
  options: TemporaryOptions,
): Promise<ArchiveFiles> {
  const tar = await keptOrClosed(file, () => unpacked(file, options));
  return await keptOrClosed(tar, () => openTarFiles(tar, path, options.signal));
}

/** `file` itself where it is not compressed; else another one, and `file` is closed. */
async function unpacked(file: OpenFile, options: TemporaryOptions): Promise<OpenFile> {
  const stored = await storedInFile(file);
  if ((await compressionOf(stored)) === "none") return file;
  const { signal } = options;
  const chunks = decompress(chunksOf(stored, signal === undefined ? {} : { signal }));
  const plain = await temporaryFile(chunks, options);
  await file.close();
  return plain;
}

async function keptOrClosed<T>(file: OpenFile, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await file.close();
    throw error;
  }
}
