/**
 * Owns the port through which a tree comes to disk, so that a file system without links can be stood in for, and the writer over
 * node:fs. All paths are absolute, and nothing on their way is a symbolic link: the model of the tree has resolved them (resolve.ts).
 * It knows nothing of archives.
 */
import {
  close,
  constants,
  copyFile,
  fchmod,
  futimes,
  link,
  lutimes,
  mkdir,
  open,
  symlink,
  unlink,
  write,
} from "node:fs";
import { chmod, rm, utimes } from "node:fs/promises";

export type FileFacts = {
  /** Permissions with setuid, setgid and sticky; the umask does not touch them. */
  readonly mode: number;
  /** Seconds since the epoch, with fraction. */
  readonly mtime: number;
};

/** Methods throw what the operating system says; they create and never follow or overwrite. */
export interface TreeWriter {
  /** With permissions for us alone, until `finishDirectory`. */
  makeDirectory(path: string): Promise<void>;
  /** A file with everything that is in it; `bytes` are the writer's until the call returns. */
  writeFile(path: string, facts: FileFacts, bytes: Uint8Array): Promise<void>;
  /** A file that comes in parts; `finish` or `giveUp` must be called. */
  createFile(path: string): Promise<GrowingFile>;
  symlink(path: string, target: string, mtime: number): Promise<void>;
  link(path: string, existing: string): Promise<void>;
  copyFile(path: string, existing: string, facts: FileFacts): Promise<void>;
  remove(path: string, kind: "directory" | "other"): Promise<void>;
  finishDirectory(path: string, facts: { readonly mode: number; readonly mtime?: number }): Promise<void>;
}

export interface GrowingFile {
  append(bytes: Uint8Array): Promise<void>;
  finish(facts: FileFacts): Promise<void>;
  /** Closes it as it is. */
  giveUp(): Promise<void>;
}

type Done = (error: Error | null) => void;

/**
 * Descriptors with callbacks and not FileHandles: an image has tens of thousands of small files, and a handle costs as much as the rest
 * of the work on one.
 */
export const diskTreeWriter: TreeWriter = {
  makeDirectory: (path) => run((done) => mkdir(path, 0o700, done)),
  async writeFile(path, facts, bytes) {
    const descriptor = await create(path);
    await closing(descriptor, async () => {
      await writeAll(descriptor, bytes);
      await settle(descriptor, facts);
    });
  },
  async createFile(path) {
    return growing(await create(path));
  },
  async symlink(path, target, mtime) {
    await run((done) => symlink(target, path, done));
    await run((done) => lutimes(path, mtime, mtime, done));
  },
  link: (path, existing) => run((done) => link(existing, path, done)),
  async copyFile(path, existing, { mode, mtime }) {
    const flags = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;
    await run((done) => copyFile(existing, path, flags, done));
    await chmod(path, mode);
    await utimes(path, mtime, mtime);
  },
  remove: (path, kind) =>
    kind === "directory" ? rm(path, { recursive: true }) : run((done) => unlink(path, done)),
  async finishDirectory(path, { mode, mtime }) {
    await chmod(path, mode);
    if (mtime !== undefined) await utimes(path, mtime, mtime);
  },
};

function growing(descriptor: number): GrowingFile {
  return {
    append: (bytes) => writeAll(descriptor, bytes),
    finish: (facts) => closing(descriptor, () => settle(descriptor, facts)),
    giveUp: () => run((done) => close(descriptor, done)),
  };
}

function create(path: string): Promise<number> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  return new Promise((resolve, reject) => {
    open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600, (error, descriptor) => {
      if (error === null) resolve(descriptor);
      else reject(error);
    });
  });
}

/** Mode and time come after the bytes: a write takes setuid away, and moves the time. */
async function settle(descriptor: number, { mode, mtime }: FileFacts): Promise<void> {
  await run((done) => fchmod(descriptor, mode, done));
  await run((done) => futimes(descriptor, mtime, mtime, done));
}

async function closing(descriptor: number, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await run((done) => close(descriptor, done));
  }
}

async function writeAll(descriptor: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += await writeOnce(descriptor, bytes.subarray(at));
}

function writeOnce(descriptor: number, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, 0, bytes.length, null, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
  });
}

function run(start: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}
