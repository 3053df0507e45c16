/**
 * Owns the watch over the storage directory of a running server. Folders and the database that somebody removed are made again; when another
 * process has the directory, it is left alone. It looks every few seconds and never makes a client wait.
 */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { Log } from "../../observe/log.ts";
import type { Trouble } from "../../observe/troubles.ts";
import type { Ownership } from "../space/ours-alone.ts";

export type StorageGuardParts = {
  /** Makes missing folders; returns another text than before when a folder is not the same any more. */
  readonly makeFolders: () => Promise<string>;
  readonly metadata: Pick<Metadata, "putBack">;
  /** Where it writes whether the directory is ours. */
  readonly ownership: Ownership;
  /** Called after something was made again: the files of some rows may be gone. */
  readonly mended: () => Promise<void>;
  readonly log: Log;
  /** Hears of `storage`, and when it is over. */
  readonly troubles: Episodes<Trouble>;
};

export class StorageGuard {
  readonly #parts: StorageGuardParts;
  #folders: string | undefined;
  #isMending = false;

  constructor(parts: StorageGuardParts) {
    this.#parts = parts;
  }

  /** Runs in the background: never throws. */
  async look(): Promise<void> {
    const { troubles, ownership } = this.#parts;
    try {
      await this.#putRight();
      ownership.isOurs = true;
      troubles.over("storage");
    } catch (error) {
      if (isGranaryError(error, "closed")) return;
      // Another process has the directory, or another database lies there: nothing may be written or removed.
      ownership.isOurs = !isGranaryError(error, "config-invalid");
      const text = ownership.isOurs
        ? "The storage directory cannot be put right"
        : "Blobs pass through without being kept";
      troubles.trouble("storage", {}, `${text}: ${messageOf(error)}`);
    }
  }

  async #putRight(): Promise<void> {
    const { makeFolders, metadata, mended, log } = this.#parts;
    const folders = await makeFolders();
    if (this.#folders !== undefined && folders !== this.#folders) this.#isMending = true;
    this.#folders = folders;
    if (await metadata.putBack()) this.#isMending = true;
    if (!this.#isMending) return;
    log.warn(
      "the storage directory, or a part of it, was removed or replaced while Granary runs: made again, and all that was known is kept; blobs that are gone are fetched again when they are asked for",
    );
    await mended();
    this.#isMending = false;
  }
}
