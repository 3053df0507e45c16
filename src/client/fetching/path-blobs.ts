/**
 * Owns the BlobStore of one fetch: its only blob is a file at a path that the caller chose, its Partial lies beside it. It
 * never finds anything there (what lies at the path is replaced), and lists nothing.
 */
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { onDisk } from "../../files/disk-error.ts";
import { adoptFile } from "../../store/adopt-file.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { PartialFiles } from "../../store/layout.ts";

/** Where the bytes of `path` lie until they are whole. */
export function partialOf(path: string): PartialFiles {
  return { data: `${path}.partial`, map: `${path}.partial.map` };
}

/** `mode` is what the finished file may be used for, permission bits. */
export function pathBlobs(path: string, mode: number): BlobStore {
  return {
    stat: async () => undefined,
    open: async () => undefined,
    adopt: async (partial, digest) => {
      await adoptFile({ partial, digest, files: partialOf(path), path, mode });
    },
    remove: async () => undefined,
    setAside: async () => undefined,
    damaged: async () => [],
    removeDamaged: async () => undefined,
    async *list() {},
    async disk() {
      const found = await onDisk(`looking at the disk of ${path}`, statfs(dirname(path)));
      return { free: found.bavail * found.bsize, size: found.blocks * found.bsize };
    },
  };
}
