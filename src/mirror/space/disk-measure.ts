/**
 * Owns what is read from the disk about its space: free bytes, the partials on it, damaged files, and how large the database is. A disk that
 * does not tell stops nobody: whether there is room shows when a fill writes. It decides nothing and removes nothing.
 */
import { messageOf } from "../../errors.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { Trouble } from "../../observe/troubles.ts";
import type { BlobStore, DamagedFile } from "../../store/blob-store.ts";
import type { SavedPartial, Spool } from "../../store/partial.ts";

export type Budget = {
  /** Bytes that blobs, partials and the database may take together. */
  readonly maxSize: number;
  /** Bytes of the disk that stay free, whatever the budget says. */
  readonly minFree: number;
};

/** All in bytes. */
export type DiskUse = { readonly used: number; readonly budget: number; readonly free: number };

export type Disk = { readonly free: number; readonly size: number };

/** What was found at one moment; all in bytes. */
export type Look = {
  /** undefined when the disk does not tell: then only the budget counts. */
  readonly disk: Disk | undefined;
  readonly damaged: readonly DamagedFile[];
  /** The part of the database that counts against the budget. */
  readonly database: number;
};

/**
 * Blobs leave at least this much to the database and the maps, whatever `minFree` says: blobs can be fetched again, but not all that the
 * database knows. Of a small disk it is only a share.
 */
const DATABASE_ROOM = 64 * 1024 * 1024;
const DATABASE_SHARE = 16;

/** What must stay free of this disk. */
export function minFreeOf({ minFree }: Budget, { size }: Disk): number {
  return Math.max(minFree, Math.min(DATABASE_ROOM, Math.floor(size / DATABASE_SHARE)));
}

/** How large the database may become within the budget. The last is not counted: an empty database takes it for its tables. */
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
  readonly troubles: Episodes<Trouble>;
};

export class DiskMeasure {
  readonly #parts: DiskMeasureParts;
  #looking: Promise<Look> | undefined;
  /** Free bytes, as the disk told them last. */
  lastFree = 0;

  constructor(parts: DiskMeasureParts) {
    this.#parts = parts;
  }

  /**
   * Who asks while the disk is being asked gets the same answer: many cold requests at once cost one question. With `isFresh` it is asked
   * again: something was removed just now.
   */
  look(isFresh = false): Promise<Look> {
    if (isFresh) return this.#look();
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** undefined when they cannot be listed: then they can be neither counted nor removed. */
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
      // If it cannot be listed nothing is counted for it; that is not worth a trouble of its own.
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
      // Some network file systems tell a size of 0, and then no free bytes either.
      return disk.size > 0 ? disk : undefined;
    } catch (error) {
      const text = `How much is free on the disk cannot be told (${messageOf(error)}): only storage.maxSize is kept to.`;
      troubles.trouble("disk", {}, text);
      return undefined;
    }
  }
}
