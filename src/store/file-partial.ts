/**
 * Owns one Partial on disk: a sparse data file, and a map that says which bytes of it are there. It must never leave a map without its data
 * file (with a new file the old map would claim bytes that are not there), and never claim a byte before it was synced (F8).
 */
import { constants } from "node:fs";
import { lstat, rm } from "node:fs/promises";
import { formatRange } from "../bytes/byte-range.ts";
import { RangeSet } from "../bytes/range-set.ts";
import { GranaryError } from "../errors.ts";
import { diskError, errnoOf, onDisk, unlessAbsent } from "../files/disk-error.ts";
import { draftOf, removeDurably, replaceFile } from "../files/durable-file.ts";
import { type MoveBytes, OpenFile } from "../files/open-file.ts";
import { algorithmOf, type Digest } from "../oci/digest.ts";
import { followFile } from "./digest-follower.ts";
import type { PartialFiles } from "./layout.ts";
import type { DigestFollower, Partial, PartialKey } from "./partial.ts";
import { formatPartialMap, readPartialMap } from "./partial-map.ts";

type Run = { readonly total: number; readonly done: Promise<void> };

/**
 * Opens the Partial of `files` if it is sound and has this `size`, otherwise a new empty one in its place.
 * Throws `store-full`, `store-damaged`.
 */
export async function openFilePartial(
  files: PartialFiles,
  key: PartialKey,
  size: number,
  released: () => void = () => {},
): Promise<FilePartial> {
  const { digest, upstream } = key;
  const resumed = await openSaved(files, digest, size);
  const [file, present] = resumed ?? [await createFile(files, size), new RangeSet()];
  const identity = await orClose(file, () => file.identity());
  return new FilePartial({ files, digest, upstream, size, file, present, identity, released });
}

type Opened = PartialKey & {
  readonly files: PartialFiles;
  readonly size: number;
  readonly file: OpenFile;
  readonly present: RangeSet;
  readonly identity: string;
  readonly released: () => void;
};

export class FilePartial implements Partial {
  readonly digest: Digest;
  readonly upstream: string;
  readonly present: RangeSet;
  readonly resumed: boolean;
  readonly #opened: Opened;
  readonly #file: OpenFile;
  #size: number;
  #savedTotal: number;
  #run: Run | undefined;
  #next: Promise<void> | undefined;
  #follower: DigestFollower | undefined;
  #closing: Promise<void> | undefined;
  #discarding: Promise<void> | undefined;

  constructor(opened: Opened) {
    this.digest = opened.digest;
    this.upstream = opened.upstream;
    this.#size = opened.size;
    this.present = opened.present;
    this.resumed = opened.present.total > 0;
    this.#opened = opened;
    this.#file = opened.file;
    this.#savedTotal = opened.present.total;
  }

  get size(): number {
    return this.#size;
  }

  grow(size: number): void {
    this.#size = Math.max(this.#size, size);
  }

  /** Settles when the close is over; undefined as long as none has begun. */
  get closing(): Promise<void> | undefined {
    return this.#discarding ?? this.#closing;
  }

  lastWrite(): Promise<bigint> {
    return this.#file.lastWrite();
  }

  async holdsItsFile(): Promise<boolean> {
    const path = this.#file.path;
    const found = await unlessAbsent(`looking at ${path}`, lstat(path, { bigint: true }));
    return found !== undefined && `${found.dev}:${found.ino}` === this.#opened.identity;
  }

  async write(offset: number, buffers: readonly Uint8Array[]): Promise<void> {
    const end = buffers.reduce((sum, buffer) => sum + buffer.length, offset);
    if (end > this.size) throw pastEnd(this, offset, end);
    await this.#file.write(offset, buffers);
  }

  read(offset: number, into: Uint8Array): Promise<number> {
    return this.#file.read(offset, into);
  }

  move(offset: number, most: number, move: MoveBytes): Promise<number> {
    return this.#file.move(offset, most, move);
  }

  follow(): DigestFollower {
    if (this.closing !== undefined) throw closedError(this.digest);
    this.#follower?.close();
    this.#follower = followFile({
      path: this.#file.path,
      descriptor: this.#file.descriptorPath,
      identity: this.#opened.identity,
      algorithm: algorithmOf(this.digest),
      size: this.size,
    });
    return this.#follower;
  }

  /** A running checkpoint is shared if it saves all that is present now; otherwise another one follows it. */
  checkpoint(): Promise<void> {
    if (this.closing !== undefined) return Promise.reject(closedError(this.digest));
    if (this.#run === undefined) return this.#start();
    if (this.#run.total === this.present.total) return this.#run.done;
    this.#next ??= this.#run.done.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeFile();
    return this.#closing;
  }

  discard(): Promise<void> {
    this.#discarding ??= this.#discardFiles();
    return this.#discarding;
  }

  #start(): Promise<void> {
    this.#next = undefined;
    const total = this.present.total;
    if (total === this.#savedTotal) return Promise.resolve();
    const done = this.#save(total).finally(() => {
      this.#run = undefined;
    });
    this.#run = { total, done };
    return done;
  }

  async #save(total: number): Promise<void> {
    // The copy is taken before the sync: what becomes present during the sync may not be on the disk yet (F8).
    const ranges = this.present.snapshot();
    await this.#file.syncData();
    if (!(await this.holdsItsFile())) return; // Adopted meanwhile: the map would be of a file that is not there.
    await replaceFile(this.#opened.files.map, formatPartialMap(this.digest, { size: this.size, ranges }));
    this.#savedTotal = total;
  }

  async #closeFile(): Promise<void> {
    this.#follower?.close();
    await this.#settleCheckpoints();
    try {
      await this.#file.close();
    } finally {
      if (this.#discarding === undefined) this.#opened.released();
    }
  }

  async #discardFiles(): Promise<void> {
    try {
      const itsOwn = await this.holdsItsFile();
      await this.close();
      if (itsOwn) await removePartialFiles(this.#opened.files);
    } finally {
      this.#opened.released();
    }
  }

  /** Waits for running checkpoints. Their failures are reported to who asked for them. */
  async #settleCheckpoints(): Promise<void> {
    while (this.#next !== undefined || this.#run !== undefined) {
      await Promise.allSettled([this.#next, this.#run?.done]);
    }
  }
}

/** The map is deleted first, and so that a power cut does not bring it back: data without a map is harmless, a map without data is not. */
export async function removePartialFiles(files: PartialFiles): Promise<void> {
  await removePartialMap(files);
  await onDisk(`removing ${files.data}`, rm(files.data, { force: true, recursive: true }));
}

/** And its draft, which a crash during a checkpoint may have left. */
export async function removePartialMap(files: PartialFiles): Promise<void> {
  await onDisk(`removing the draft of ${files.map}`, rm(draftOf(files.map), { force: true }));
  await removeDurably(files.map);
}

async function openSaved(
  files: PartialFiles,
  digest: Digest,
  size: number,
): Promise<[OpenFile, RangeSet] | undefined> {
  const map = await readPartialMap(files.map, digest);
  if (map === undefined || map.size !== size || map.ranges.length === 0) return undefined;
  const file = await openIfThere(files.data);
  if (file === undefined) return undefined;
  const claimedEnd = map.ranges.reduce((end, range) => Math.max(end, range.end), 0);
  return orClose(file, async () => {
    const found = await file.stat();
    if (!found.isFile() || found.size < claimedEnd) {
      await file.close();
      return undefined;
    }
    await file.truncate(size);
    return [file, RangeSet.of(map.ranges)];
  });
}

/** undefined where there is no plain file: nothing to go on from. */
async function openIfThere(path: string): Promise<OpenFile | undefined> {
  try {
    return await OpenFile.open(path, constants.O_RDWR);
  } catch (error) {
    if (["ENOENT", "ELOOP", "EISDIR", "ENXIO"].includes(errnoOf(error) ?? "")) return undefined;
    throw diskError(error, `opening ${path}`);
  }
}

async function createFile(files: PartialFiles, size: number): Promise<OpenFile> {
  await removePartialFiles(files);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
  const file = await onDisk(`creating ${files.data}`, OpenFile.open(files.data, flags));
  return orClose(file, async () => {
    await file.truncate(size);
    return file;
  });
}

async function orClose<T>(file: OpenFile, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await file.close();
    throw error;
  }
}

function pastEnd(partial: Partial, offset: number, end: number): GranaryError {
  return new GranaryError(
    "size-mismatch",
    `Writing ${formatRange({ start: offset, end })} of ${partial.digest}, which has ${partial.size} bytes.`,
    { expected: partial.size, found: end, target: partial.digest },
  );
}

function closedError(digest: Digest): GranaryError {
  return new GranaryError("closed", `The partial of ${digest} is closed.`, { target: digest });
}
