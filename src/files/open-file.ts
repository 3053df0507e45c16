/**
 * Owns one file descriptor: positional reads and writes, syncs, and a close that waits for them. It must never
 * close under an operation in flight: the kernel hands the number out again at once, and a late read or write would then
 * land in some other file. A descriptor and not a FileHandle: it is as fast, and its close can be put in order with the rest here.
 */
import {
  type BigIntStats,
  close,
  constants,
  fchmod,
  fdatasync,
  fstat,
  fsync,
  ftruncate,
  open,
  read,
  type Stats,
  writev,
} from "node:fs";
import { GranaryError } from "../errors.ts";
import { diskError } from "./disk-error.ts";

export type FileLook = {
  readonly isFile: boolean;
  /** Bytes. */
  readonly size: number;
  readonly stamp: string;
  /** `dev:ino`. */
  readonly identity: string;
  /** Epoch ms. */
  readonly writtenAt: number;
};

/**
 * Moves at most `most` bytes of an open file, from `offset` on, to where they are wanted; returns how many, 0 when none can be moved now.
 * The descriptor may be used until the result is there.
 */
export type MoveBytes = (descriptor: number, offset: number, most: number) => Promise<number>;

type Done<T> = (error: Error | null, value?: T) => void;

/** Never through a symbolic link, and never parked on a pipe that lies where a file should. */
const ALWAYS = constants.O_NOFOLLOW | constants.O_NONBLOCK;

export class OpenFile {
  readonly path: string;
  readonly #descriptor: number;
  #inFlight = 0;
  #idle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  private constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  /** `flags` as in open(2). Throws the operating system's own error: only the caller can say what it was opening for. */
  static open(path: string, flags: number, mode = 0o600): Promise<OpenFile> {
    return new Promise((resolve, reject) => {
      open(path, flags | ALWAYS, mode, (error, descriptor) => {
        if (error === null) resolve(new OpenFile(path, descriptor));
        else reject(error);
      });
    });
  }

  /** Leads to this very file while it is open, also when its own path was removed. Later it may lead to another: see `identity`. */
  get descriptorPath(): string {
    return `${process.platform === "linux" ? "/proc/self/fd" : "/dev/fd"}/${this.#descriptor}`;
  }

  /** Reads at most `into.length` bytes at `offset`; returns how many, 0 at the end. */
  read(offset: number, into: Uint8Array): Promise<number> {
    return this.#run("reading", (done) => read(this.#descriptor, into, 0, into.length, offset, done));
  }

  /** Has `move` take at most `most` bytes at `offset` out of the file; the file stays open until it has. */
  async move(offset: number, most: number, move: MoveBytes): Promise<number> {
    if (this.#closing !== undefined) throw closedError(this.path, "reading");
    this.#inFlight++;
    try {
      return await move(this.#descriptor, offset, most);
    } finally {
      if (--this.#inFlight === 0) this.#idle?.();
    }
  }

  /** Writes all of `buffers`, one after another, at `offset`. Throws `store-full`. */
  async write(offset: number, buffers: readonly Uint8Array[]): Promise<void> {
    let rest = buffers.filter((buffer) => buffer.length > 0);
    for (let at = offset; rest.length > 0; ) {
      const written = await this.#writeOnce(at, rest);
      at += written;
      rest = dropFront(rest, written);
    }
  }

  /** The bytes, and what is needed to find them again, reach the disk. */
  syncData(): Promise<void> {
    return this.#run("syncing", (done: Done<void>) => fdatasync(this.#descriptor, done));
  }

  sync(): Promise<void> {
    return this.#run("syncing", (done: Done<void>) => fsync(this.#descriptor, done));
  }

  truncate(size: number): Promise<void> {
    return this.#run("sizing", (done: Done<void>) => ftruncate(this.#descriptor, size, done));
  }

  chmod(mode: number): Promise<void> {
    return this.#run("changing the mode of", (done: Done<void>) => fchmod(this.#descriptor, mode, done));
  }

  stat(): Promise<Stats> {
    return this.#run("looking at", (done: Done<Stats>) => fstat(this.#descriptor, done));
  }

  /** Names this very file: a path can be given to another one meanwhile. */
  async identity(): Promise<string> {
    const { dev, ino } = await this.#run("looking at", (done: Done<BigIntStats>) =>
      fstat(this.#descriptor, { bigint: true }, done),
    );
    return `${dev}:${ino}`;
  }

  /** Nanoseconds, of the file system's clock. */
  async lastWrite(): Promise<bigint> {
    const { mtimeNs } = await this.#run("looking at", (done: Done<BigIntStats>) =>
      fstat(this.#descriptor, { bigint: true }, done),
    );
    return mtimeNs;
  }

  /** What `stampOf` says of it now, and the date of its last write (epoch ms). */
  async look(): Promise<FileLook> {
    const found = await this.#run("looking at", (done: Done<BigIntStats>) =>
      fstat(this.#descriptor, { bigint: true }, done),
    );
    return {
      isFile: found.isFile(),
      size: Number(found.size),
      stamp: stampOf(found),
      identity: `${found.dev}:${found.ino}`,
      writtenAt: Number(found.mtimeNs / 1_000_000n),
    };
  }

  /** Refuses new operations, waits for those in flight, closes. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#closeWhenIdle();
    return this.#closing;
  }

  async #closeWhenIdle(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    await new Promise<void>((resolve, reject) =>
      close(this.#descriptor, (error) =>
        error ? reject(diskError(error, `closing ${this.path}`)) : resolve(),
      ),
    );
  }

  #writeOnce(offset: number, buffers: readonly Uint8Array[]): Promise<number> {
    return this.#run("writing", (done) => writev(this.#descriptor, buffers, offset, done));
  }

  #run<T>(doing: string, start: (done: Done<T>) => void): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(closedError(this.path, doing));
    this.#inFlight++;
    return new Promise<T>((resolve, reject) => {
      start((error, value) => {
        if (--this.#inFlight === 0) this.#idle?.();
        if (error) reject(diskError(error, `${doing} ${this.path}`));
        else resolve(value as T);
      });
    });
  }
}

/**
 * A text that changes whenever somebody writes to the file, replaces it or changes its mode. No byte of the file is read for it, so it
 * cannot show what the disk itself has changed. In it are the date of the last write, and that of the last change of any kind, which
 * no program can set back.
 */
export function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

/** File systems write dates in steps of up to 10 ms: two writes within one step leave the same stamp. This is longer, for slow ones. */
export const TICK_MS = 50;

function closedError(path: string, doing: string): GranaryError {
  return new GranaryError("closed", `${path} was closed before ${doing} it.`);
}

function dropFront(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  const rest: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (left >= buffer.length) left -= buffer.length;
    else {
      rest.push(left === 0 ? buffer : buffer.subarray(left));
      left = 0;
    }
  }
  return rest;
}
