/**
 * Owns the directory of Partials: which are saved, and which are open right now. It must never open one of them twice at
 * the same time, and never list or remove one that is open.
 */
import { lstat, readdir } from "node:fs/promises";
import { type ByteRange, lengthOf } from "../bytes/byte-range.ts";
import { GranaryError } from "../errors.ts";
import { unlessAbsent } from "../files/disk-error.ts";
import { type DigestAlgorithm, isDigest } from "../oci/digest.ts";
import { Semaphore } from "../waiting/semaphore.ts";
import { type FilePartial, openFilePartial, removePartialFiles } from "./file-partial.ts";
import { ALGORITHMS, type Layout, type PartialFiles } from "./layout.ts";
import type { PartialKey, SavedPartial, Spool } from "./partial.ts";
import { readPartialMap } from "./partial-map.ts";
import { parseOwner } from "./partial-owner.ts";
import { withFolders } from "./storage-folders.ts";

/** Needs a prepared Layout. Nothing to close: each Partial closes itself. */
export function openSpool(layout: Layout): Spool {
  return new DiskSpool(layout);
}

/** Partials that are looked at in parallel: each costs three requests to the disk. */
const LOOKS_AT_ONCE = 8;

type Saved = Pick<SavedPartial, "digest" | "upstream">;

class DiskSpool implements Spool {
  readonly #layout: Layout;
  /** By path of the data file: who opens or removes it, one at a time. */
  readonly #turns = new Semaphore(1);
  /** `endTurn` lets the next one have it. */
  readonly #open = new Map<string, { readonly partial: FilePartial; readonly endTurn: () => void }>();
  /** How many wait to open it. */
  readonly #opening = new Map<string, number>();
  readonly #removing = new Map<string, Promise<void>>();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  async openPartial(key: PartialKey, size: number): Promise<FilePartial> {
    const files = this.#layout.partial(key);
    const path = files.data;
    this.#opening.set(path, (this.#opening.get(path) ?? 0) + 1);
    try {
      await this.#passOnAdopted(path);
      return await this.#openInTurn(files, key, size);
    } finally {
      const others = (this.#opening.get(path) ?? 1) - 1;
      if (others > 0) this.#opening.set(path, others);
      else this.#opening.delete(path);
    }
  }

  async #openInTurn(files: PartialFiles, key: PartialKey, size: number): Promise<FilePartial> {
    const endTurn = await this.#turn(files.data);
    try {
      const closed = () => this.#passOn(files.data, partial);
      const partial: FilePartial = await withFolders(this.#layout, () =>
        openFilePartial(files, key, size, closed),
      );
      this.#open.set(files.data, { partial, endTurn });
      return partial;
    } catch (error) {
      endTurn();
      throw error;
    }
  }

  async list(): Promise<SavedPartial[]> {
    const keys = (await this.#keys()).filter((key) => !this.#isOpen(key));
    const saved: SavedPartial[] = [];
    for (let at = 0; at < keys.length; at += LOOKS_AT_ONCE) {
      const looks = keys.slice(at, at + LOOKS_AT_ONCE).map((key) => this.#describe(key));
      for (const found of await Promise.all(looks)) if (found !== undefined) saved.push(found);
    }
    // One that was opened meanwhile is counted by its fill.
    return saved.filter((key) => !this.#isOpen(key));
  }

  async rangesOf(key: PartialKey): Promise<readonly ByteRange[]> {
    if (this.#isOpen(key)) return [];
    return (await readPartialMap(this.#layout.partial(key).map, key.digest))?.ranges ?? [];
  }

  /** Who opens it meanwhile waits for the end of it. */
  remove(key: Saved): Promise<void> {
    const path = this.#layout.partial(key).data;
    if (this.#opening.has(path)) return Promise.reject(openError(key));
    const running = this.#removing.get(path);
    if (running !== undefined) return running;
    const removing = this.#remove(key).finally(() => this.#removing.delete(path));
    this.#removing.set(path, removing);
    return removing;
  }

  async #remove(key: Saved): Promise<void> {
    const files = this.#layout.partial(key);
    if (this.#isInUse(files.data)) {
      await this.#passOnAdopted(files.data);
      if (this.#isInUse(files.data) || this.#opening.has(files.data)) throw openError(key);
    }
    const endTurn = await this.#turn(files.data);
    await removePartialFiles(files).finally(endTurn);
  }

  /** Open and not about to be closed: whoever waited for it would wait as long as its owner likes. */
  #isInUse(path: string): boolean {
    const open = this.#open.get(path);
    return open !== undefined && open.partial.closing === undefined;
  }

  /** Resolves when nobody has it open or removes it, with the function that ends this turn. In the order of asking. */
  #turn(path: string): Promise<() => void> {
    return new Promise((begin) => void this.#turns.run(path, () => new Promise<void>((end) => begin(end))));
  }

  /** One whose file was adopted may stay open for its readers as long as it likes: the next one need not wait for it. */
  async #passOnAdopted(path: string): Promise<void> {
    const partial = this.#open.get(path)?.partial;
    if (partial === undefined || partial.closing !== undefined) return;
    if (!(await partial.holdsItsFile())) this.#passOn(path, partial);
  }

  #passOn(path: string, partial: FilePartial): void {
    const open = this.#open.get(path);
    if (open?.partial !== partial) return;
    this.#open.delete(path);
    open.endTurn();
  }

  #isOpen(key: Saved): boolean {
    const path = this.#layout.partial(key).data;
    return this.#open.has(path) || this.#opening.has(path);
  }

  /** Of data files and of maps: a map left alone by a crash must be found to be removed. */
  async #keys(): Promise<Saved[]> {
    const keys = new Map<string, Saved>();
    for (const algorithm of ALGORITHMS) {
      const path = this.#layout.partialsOf(algorithm);
      // Without its folder there are none; it is made again with the next one.
      for (const name of (await unlessAbsent(`listing ${path}`, readdir(path))) ?? []) {
        const key = keyIn(name.replace(/\.map$/, ""), algorithm);
        if (key !== undefined) keys.set(this.#layout.partial(key).data, key);
      }
    }
    return [...keys.values()];
  }

  async #describe(key: Saved): Promise<SavedPartial | undefined> {
    const files = this.#layout.partial(key);
    const map = await readPartialMap(files.map, key.digest);
    const data = await unlessAbsent(`looking at ${files.data}`, lstat(files.data));
    const mapStat = await unlessAbsent(`looking at ${files.map}`, lstat(files.map));
    const changedAt = Math.floor(Math.max(data?.mtimeMs ?? 0, mapStat?.mtimeMs ?? 0));
    if (changedAt === 0) return undefined;
    const present =
      data === undefined ? 0 : (map?.ranges.reduce((sum, range) => sum + lengthOf(range), 0) ?? 0);
    return { ...key, size: map?.size ?? data?.size ?? 0, present, changedAt };
  }
}

/** undefined for files that are no partials of ours. */
function keyIn(name: string, algorithm: DigestAlgorithm): Saved | undefined {
  const at = name.lastIndexOf("@");
  const text = `${algorithm}:${name.slice(at + 1)}`;
  if (!isDigest(text)) return undefined;
  if (at < 0) return { digest: text, upstream: undefined };
  const upstream = parseOwner(name.slice(0, at));
  return upstream === undefined ? undefined : { digest: text, upstream };
}

function openError({ digest }: Saved): GranaryError {
  return new GranaryError(
    "closed",
    `The partial of ${digest} is open already; its owner must close it first.`,
    {
      target: digest,
    },
  );
}
