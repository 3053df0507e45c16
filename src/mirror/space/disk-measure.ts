/**
 * Owns what the disk says of itself: free bytes, the partials on it, and what was set aside. What it does not say is not known, and stops nobody: fills
 * meet what there is to meet. It decides nothing and removes nothing.
 */
import { messageOf } from "../../errors.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { BlobStore, DamagedFile } from "../../store/blob-store.ts";
import type { SavedPartial, Spool } from "../../store/partial.ts";

export type Budget = {
  /** Bytes that blobs, partials and the database may hold together. */
  readonly maxSize: number;
  /** Bytes of the disk that stay free, whatever the budget says. */
  readonly minFree: number;
};

export type Disk = { readonly free: number; readonly size: number };

/**
 * Blobs leave this much to the database and the maps, whatever `minFree` says: blobs can be fetched again, and what the database
 * knows cannot. Of a small disk a part of it.
 */
const DATABASE_ROOM = 64 * 1024 * 1024;
const DATABASE_SHARE = 16;

/** What must stay free of this disk. */
export function minFreeOf({ minFree }: Budget, { size }: Disk): number {
  return Math.max(minFree, Math.min(DATABASE_ROOM, Math.floor(size / DATABASE_SHARE)));
}

/** What the database may grow to within the budget, and what of that is not counted: an empty one has its tables. */
const MOST_DATABASE = 2 ** 30;
const LEAST_DATABASE = 8 * 2 ** 20;
export const DATABASE_TABLES = 4 * 2 ** 20;

/** Bytes; see Metadata.size. */
export function databaseShareOf({ maxSize }: Budget): number {
  return Math.max(LEAST_DATABASE, Math.min(MOST_DATABASE, Math.floor(maxSize / 16)));
}

type DiskMeasureParts = {
  readonly blobs: BlobStore;
  readonly spool: Spool;
  /** Hears of `disk` and `partials`, and when they are over. */
  readonly troubles: Episodes;
};

export class DiskMeasure {
  readonly #parts: DiskMeasureParts;
  /** Bytes, when it was told last. */
  lastFree = 0;

  constructor(parts: DiskMeasureParts) {
    this.#parts = parts;
  }

  /** undefined when the disk does not tell: then the budget alone counts. */
  async disk(): Promise<Disk | undefined> {
    const { blobs, troubles } = this.#parts;
    try {
      const disk = await blobs.disk();
      this.lastFree = disk.free;
      troubles.over("disk");
      // Some file systems over a network have no size to tell, and then no free bytes either.
      return disk.size > 0 ? disk : undefined;
    } catch (error) {
      const text = `How much is free on the disk cannot be told (${messageOf(error)}): only storage.maxSize is kept to.`;
      troubles.trouble("disk", {}, text);
      return undefined;
    }
  }

  /** What cannot be listed can be neither counted nor removed. */
  async saved(): Promise<SavedPartial[]> {
    const { spool, troubles } = this.#parts;
    try {
      const saved = await spool.list();
      troubles.over("partials");
      return saved;
    } catch (error) {
      const text = `Partial blobs cannot be listed (${messageOf(error)}): they count for nothing until that is mended.`;
      troubles.trouble("partials", {}, text);
      return [];
    }
  }

  /** What was set aside. What cannot be listed counts for nothing, and is no trouble of its own. */
  async damaged(): Promise<readonly DamagedFile[]> {
    return await this.#parts.blobs.damaged().catch(() => []);
  }
}
