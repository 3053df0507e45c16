/**
 * Owns the directory of Partials: which are saved, and which are open right now. It must never open one digest twice at
 * the same time, and never list or remove one that is open.
 */
import { lstat, readdir } from "node:fs/promises";
import { lengthOf } from "../bytes/byte-range.ts";
import { GranaryError } from "../errors.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { unlessAbsent } from "./disk-error.ts";
import { type FilePartial, openFilePartial, removePartialFiles } from "./file-partial.ts";
import { ALGORITHMS, type Layout, withFolders } from "./layout.ts";
import type { SavedPartial, Spool } from "./partial.ts";
import { readPartialMap } from "./partial-map.ts";

/** Needs a prepared Layout. Nothing to close: each Partial closes itself. */
export function openSpool(layout: Layout): Spool {
  return new DiskSpool(layout);
}

class DiskSpool implements Spool {
  readonly #layout: Layout;
  readonly #open = new Map<Digest, FilePartial>();
  readonly #opening = new Set<Digest>();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  async openPartial(digest: Digest, size: number): Promise<FilePartial> {
    if (this.#opening.has(digest)) throw openError(digest);
    this.#opening.add(digest);
    try {
      await this.#freed(digest);
      const released = () => {
        if (this.#open.get(digest) === partial) this.#open.delete(digest);
      };
      const partial: FilePartial = await withFolders(this.#layout, () =>
        openFilePartial(this.#layout.partial(digest), digest, size, released),
      );
      this.#open.set(digest, partial);
      return partial;
    } finally {
      this.#opening.delete(digest);
    }
  }

  async list(): Promise<SavedPartial[]> {
    const saved: SavedPartial[] = [];
    for (const digest of await this.#digests()) {
      if (this.#isOpen(digest)) continue;
      const entry = await this.#describe(digest);
      if (entry !== undefined) saved.push(entry);
    }
    return saved;
  }

  async remove(digest: Digest): Promise<void> {
    if (this.#opening.has(digest)) throw openError(digest);
    await this.#freed(digest);
    await removePartialFiles(this.#layout.partial(digest));
  }

  /**
   * A Fill that has just let go may still be closing its file: its map is the one to go on from. One whose file was
   * adopted may stay open for its readers as long as it likes.
   */
  async #freed(digest: Digest): Promise<void> {
    const earlier = this.#open.get(digest);
    if (earlier === undefined) return;
    await earlier.closing;
    if (this.#open.get(digest) === earlier && (await earlier.holdsItsFile())) throw openError(digest);
  }

  #isOpen(digest: Digest): boolean {
    return this.#open.has(digest) || this.#opening.has(digest);
  }

  /** Of data files and of maps: a map left alone by a crash must be found to be removed. */
  async #digests(): Promise<ReadonlySet<Digest>> {
    const digests = new Set<Digest>();
    for (const algorithm of ALGORITHMS) {
      const path = this.#layout.partialsOf(algorithm);
      // Without its folder there are none; it is made again with the next one.
      for (const name of (await unlessAbsent(`listing ${path}`, readdir(path))) ?? []) {
        const text = `${algorithm}:${name.replace(/\.map$/, "")}`;
        if (isDigest(text)) digests.add(text);
      }
    }
    return digests;
  }

  async #describe(digest: Digest): Promise<SavedPartial | undefined> {
    const files = this.#layout.partial(digest);
    const map = await readPartialMap(files.map, digest);
    const data = await unlessAbsent(`looking at ${files.data}`, lstat(files.data));
    const mapStat = await unlessAbsent(`looking at ${files.map}`, lstat(files.map));
    const changedAt = Math.floor(Math.max(data?.mtimeMs ?? 0, mapStat?.mtimeMs ?? 0));
    if (changedAt === 0) return undefined;
    const present =
      data === undefined ? 0 : (map?.ranges.reduce((sum, range) => sum + lengthOf(range), 0) ?? 0);
    return { digest, size: map?.size ?? data?.size ?? 0, present, changedAt };
  }
}

function openError(digest: Digest): GranaryError {
  return new GranaryError(
    "closed",
    `The partial of ${digest} is open already; its owner must close it first.`,
    {
      target: digest,
    },
  );
}
