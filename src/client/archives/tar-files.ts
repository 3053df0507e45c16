/**
 * Owns the files of an archive that is one file: a tar, or a compressed tar, which is unpacked to a nameless temporary file because
 * compressed bytes cannot be read from the middle. Each file in it is a window of the tar, read by offset.
 */
import { GranaryError } from "../../errors.ts";
import type { OpenFile } from "../../files/open-file.ts";
import { type ArchiveFiles, chunksOf, type StoredBytes } from "./archive-files.ts";
import { compressionOf, decompress } from "./decompress.ts";
import { findInTar, indexTar, type TarSpan } from "./tar-index.ts";
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

/** Takes over `file`, which is not closed when this throws (see indexTar). */
async function openTarFiles(file: OpenFile, path: string, signal?: AbortSignal): Promise<ArchiveFiles> {
  const tar = await storedInFile(file);
  const index = await indexTar(tar, path, signal);
  return {
    path,
    async open(name) {
      const span = findInTar(index, name);
      return span && windowOf(tar, span);
    },
    close: () => tar.close(),
  };
}

/** Throws `path-invalid` for anything but a plain file. */
export async function storedInFile(file: OpenFile): Promise<StoredBytes> {
  const found = await file.stat();
  if (!found.isFile()) {
    throw new GranaryError("path-invalid", `${file.path} is not a plain file.`, { target: file.path });
  }
  return {
    size: found.size,
    read: (offset, into) => file.read(offset, into),
    close: () => file.close(),
  };
}

function windowOf(tar: StoredBytes, { start, size }: TarSpan): StoredBytes {
  return {
    size,
    read: async (offset, into) => {
      const count = Math.max(0, Math.min(into.length, size - offset));
      return count === 0 ? 0 : await tar.read(start + offset, into.subarray(0, count));
    },
    close: async () => undefined, // The tar stays open for the other entries.
  };
}
