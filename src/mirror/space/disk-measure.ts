/**
 * Owns what the disk says of itself: free bytes, the partials on it, what was set aside, and how large the database is. What it does not
 * say is not known, and stops nobody: fills meet what there is to meet. It decides nothing and removes nothing.
 */
import { messageOf } from "../../errors.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { BlobStore, DamagedFile } from "../../store/blob-store.ts";
import type { SavedPartial, Spool } from "../../store/partial.ts";

export type Budget = {
  /** Bytes that blobs, partials and the database may take together. */
  readonly maxSize: number;
  /** Bytes of the disk that stay free, whatever the budget says. */
  readonly minFree: number;
};

export type Disk = { readonly free: number; readonly size: number };

/** What was seen at one moment; all in bytes. */
export type Look = {
  /** undefined when the disk does not tell: then the budget alone counts. */
  readonly disk: Disk | undefined;
  readonly damaged: readonly DamagedFile[];
  /** What of the database counts against the budget. */
  readonly database: number;
};

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
const DATABASE_TABLES = 4 * 2 ** 20;

/** Bytes; see Metadata.size. */
export function databaseShareOf({ maxSize }: Budget): number {
  return Math.max(LEAST_DATABASE, Math.min(MOST_DATABASE, Math.floor(maxSize / 16)));
}

export type DiskMeasureParts = {
  readonly blobs: BlobStore;
  readonly spool: Spool;
  readonly metadata: Metadata;
  /** Hears of `disk` and `partials`, and when they are over. */
  readonly troubles: Episodes;
};

export class DiskMeasure {
  readonly #parts: DiskMeasureParts;
  #looking: Promise<Look> | undefined;
  /** Bytes, when it was told last. */
  lastFree = 0;

  constructor(parts: DiskMeasureParts) {
    this.#parts = parts;
  }

  /** Who asks while somebody looks gets the same answer: many cold requests at once cost one look. */
  look(): Promise<Look> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** What cannot be listed can be neither counted nor removed: undefined. */
  async saved(): Promise<SavedPartial[] | undefined> {
    const { spool, troubles } = this.#parts;
    try {
      const saved = await spool.list();
      troubles.over("partials");
      return saved;
    } catch (error) {
      const text = `Partial blobs cannot be listed (${messageOf(error)}): only those of this run are counted until that is mended.`;
      troubles.trouble("partials", {}, text);
      return undefined;
    }
  }

  async #look(): Promise<Look> {
    const { blobs, metadata } = this.#parts;
    const [disk, damaged, size] = await Promise.all([
      this.#disk(),
      // What cannot be listed counts for nothing, and is no trouble of its own.
      blobs.damaged().catch(() => []),
      metadata.size(),
    ]);
    return { disk, damaged, database: Math.max(0, size - DATABASE_TABLES) };
  }

  async #disk(): Promise<Disk | undefined> {
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
}
