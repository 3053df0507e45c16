/**
 * Owns the rule that nothing is written or removed while another process has the storage directory: each would take the other's half-written
 * files for its own. What is there can still be read, and new blobs are passed through.
 */
import { GranaryError } from "../../errors.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { Spool } from "../../store/partial.ts";

/** Whether the storage directory is ours. The storage guard finds out and writes it here; everybody else reads it. */
export class Ownership {
  isOurs = true;
}

/** `spool`, as long as the directory is ours. */
export function spoolOfOurs(spool: Spool, ownership: Ownership): Spool {
  const isOurs = () => ownership.isOurs;
  return {
    openPartial: async (key, size) => (isOurs() ? await spool.openPartial(key, size) : refuse()),
    list: async () => (isOurs() ? await spool.list() : []),
    rangesOf: async (key) => (isOurs() ? await spool.rangesOf(key) : []),
    remove: async (partial) => (isOurs() ? await spool.remove(partial) : refuse()),
  };
}

/** `blobs`, as long as the directory is ours. */
export function blobsOfOurs(blobs: BlobStore, ownership: Ownership): BlobStore {
  const isOurs = () => ownership.isOurs;
  return {
    stat: (digest) => blobs.stat(digest),
    open: (digest) => blobs.open(digest),
    adopt: async (partial, digest) => (isOurs() ? await blobs.adopt(partial, digest) : refuse()),
    remove: async (digest) => (isOurs() ? await blobs.remove(digest) : refuse()),
    setAside: async (digest) => (isOurs() ? await blobs.setAside(digest) : refuse()),
    damaged: () => blobs.damaged(),
    removeDamaged: async (name) => (isOurs() ? await blobs.removeDamaged(name) : refuse()),
    list: (onStranger) => blobs.list(onStranger),
    disk: () => blobs.disk(),
  };
}

function refuse(): never {
  throw new GranaryError(
    "store-damaged",
    "Another process has the storage directory now: nothing is written there.",
  );
}
