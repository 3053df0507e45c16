/**
 * Owns the directory beside the target in which an image is unpacked, and the renames that put it in the target's place. Until
 * the last of them the target is untouched, and whatever fails leaves nothing behind.
 */
import { randomBytes } from "node:crypto";
import { chmod, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { GranaryError } from "../../errors.ts";
import { lookAt, makeDirectory, move, namesIn, realPathOf } from "../../files/disk.ts";
import { errnoOf, onDisk } from "../../files/disk-error.ts";

export type Staging = {
  /** Empty, ours alone, on the file system of the target. */
  readonly path: string;
  /** What was asked for, absolute and without symbolic links. */
  readonly target: string;
  /** Puts `path` in the target's place. */
  commit(): Promise<void>;
  /** Removes `path` with all that is in it. */
  discard(): Promise<void>;
};

/**
 * A staging directory for `directory`, which must be absent, or an empty directory, or (with `replace`) any directory. Throws
 * `path-invalid` where it is not, `store-full`, `store-damaged`.
 */
export async function openStaging(directory: string, replace: boolean): Promise<Staging> {
  const target = await targetOf(directory, replace);
  const beside = `.${basename(target).slice(0, 80)}.granary-${randomBytes(6).toString("hex")}`;
  const path = join(dirname(target), beside);
  await makeDirectory(path, 0o700);
  return {
    path,
    target,
    commit: () => swap(path, target),
    discard: () => removeTree(path),
  };
}

async function targetOf(directory: string, replace: boolean): Promise<string> {
  if ((await lookAt(directory)) === undefined) return await absentTarget(directory);
  const target = await realPathOf(directory);
  if (target === undefined) throw unusable(directory, "is a link to nothing", "remove it first");
  if (!(await stat(target)).isDirectory()) throw unusable(directory, "is no directory", "name another place");
  if (dirname(target) === target) throw unusable(directory, "is the root", "name a directory below it");
  // No rename can replace a mount point: that is said before the work, not after it.
  if ((await stat(target)).dev !== (await stat(dirname(target))).dev) throw mountPoint(directory);
  if (!replace && (await namesIn(target)).length > 0) {
    throw unusable(directory, "is not empty", "name another directory, or have it replaced");
  }
  return target;
}

async function absentTarget(directory: string): Promise<string> {
  const path = resolve(directory);
  const parent = await realPathOf(dirname(path));
  if (parent === undefined) {
    throw unusable(dirname(path), "does not exist", "create it first");
  }
  return join(parent, basename(path));
}

/** The target is moved aside only when the new tree is complete, and moved back if that cannot take its place. */
async function swap(path: string, target: string): Promise<void> {
  const old = `${path}-old`;
  const isThere = (await lookAt(target)) !== undefined;
  if (isThere) await put(target, old);
  try {
    await put(path, target);
  } catch (error) {
    if (isThere) await rename(old, target);
    throw error;
  }
  if (isThere) await removeTree(old);
}

async function put(from: string, to: string): Promise<void> {
  try {
    await move(from, to);
  } catch (error) {
    const isMount = errnoOf(error) === "EBUSY" || errnoOf(error) === "EXDEV";
    throw isMount ? mountPoint(from) : error;
  }
}

function mountPoint(path: string): GranaryError {
  return unusable(path, "is a mount point or in use", "name a directory below it");
}

function unusable(path: string, what: string, advice: string): GranaryError {
  const message = `${path} ${what}: ${advice}.`;
  return new GranaryError("path-invalid", message, { target: path });
}

/**
 * Removes an unpacked tree, also where the image's modes keep its owner out of his own directories. It follows no symbolic link. Throws
 * `store-damaged`.
 */
async function removeTree(path: string): Promise<void> {
  const doing = `removing ${path}`;
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EACCES" || errno === "EPERM") await onDisk(doing, openUp(path));
    await onDisk(doing, rm(path, { recursive: true, force: true, maxRetries: 3 }));
  }
}

async function openUp(directory: string): Promise<void> {
  await chmod(directory, 0o700);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await openUp(join(directory, entry.name));
  }
}
