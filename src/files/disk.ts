/**
 * Owns the operations on a file system that the rest of the program asks for by path. Each throws a GranaryError that says what was
 * being done: `store-full` where there is no room, else `store-damaged`. Whoever acts on one kind of failure asks `errnoOf`.
 */
import { constants, type Stats } from "node:fs";
import { copyFile, lstat, mkdir, readdir, realpath, rename, rm, stat, statfs } from "node:fs/promises";
import { onDisk, unlessAbsent } from "./disk-error.ts";

/** What lies at `path`, a symbolic link as itself; undefined where nothing does. */
export function lookAt(path: string): Promise<Stats | undefined> {
  return unlessAbsent(`looking at ${path}`, lstat(path));
}

/** What `path` leads to, symbolic links followed; undefined where there is nothing. */
export function lookThrough(path: string): Promise<Stats | undefined> {
  return unlessAbsent(`looking at ${path}`, stat(path));
}

/** `path` without symbolic links; undefined where it leads to nothing. */
export function realPathOf(path: string): Promise<string | undefined> {
  return unlessAbsent(`looking at ${path}`, realpath(path));
}

/** The names in `directory`; none where there is no such directory. */
export async function namesIn(directory: string): Promise<string[]> {
  return (await unlessAbsent(`listing ${directory}`, readdir(directory))) ?? [];
}

/** Free and all bytes of the disk that `directory` is on, as far as this user may use them. */
export async function spaceAround(
  directory: string,
): Promise<{ readonly free: number; readonly size: number }> {
  const { bavail, blocks, bsize } = await onDisk(`looking at the disk of ${directory}`, statfs(directory));
  return { free: bavail * bsize, size: blocks * bsize };
}

/** Makes one directory, where nothing may be yet. */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  await onDisk(`creating ${path}`, mkdir(path, { mode }));
}

/** A file at `to` is replaced. */
export async function move(from: string, to: string): Promise<void> {
  await onDisk(`renaming ${from} to ${to}`, rename(from, to));
}

/** A file at `to` is replaced, or with "never" an error (`EEXIST`). */
export async function copy(
  from: string,
  to: string,
  replace: "replace" | "never" = "replace",
): Promise<void> {
  const flags = replace === "never" ? constants.COPYFILE_EXCL : 0;
  await onDisk(`copying ${from} to ${to}`, copyFile(from, to, flags));
}

/** Removes a file, or a directory with all that is in it; what is not there is removed already. */
export async function remove(path: string): Promise<void> {
  await onDisk(`removing ${path}`, rm(path, { recursive: true, force: true }));
}
