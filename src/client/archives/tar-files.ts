/** Owns the files of a tar that is open: each is a window of it, read by offset. The open file is closed with them. */
import { GranaryError } from "../../errors.ts";
import type { OpenFile } from "../../files/open-file.ts";
import type { ArchiveFiles, StoredBytes } from "./archive-files.ts";
import { findInTar, indexTar, type TarSpan } from "./tar-index.ts";

/** Takes over `file`, which is not closed when this throws (see indexTar). */
export async function openTarFiles(
  file: OpenFile,
  path: string,
  signal?: AbortSignal,
): Promise<ArchiveFiles> {
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
