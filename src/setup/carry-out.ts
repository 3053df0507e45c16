/**
 * Owns the writing of planned files: each as a whole, with a copy of what was there and a record of the change beside it, written before
 * the file itself. When one of them cannot be written, those before it are brought back: all are done, or none.
 */
import { dirname } from "node:path";
import {
  type KeptFile,
  makeFoldersTo,
  readKeptFile,
  removeIfEmpty,
  removeKeptFile,
  replaceKeptFile,
} from "../files/kept-file.ts";
import type { Kept, PlannedFile } from "./plan-files.ts";
import { copyPath, fingerprintOf, recordPath, recordText } from "./undo-record.ts";

/** How the files of one path were, and what was made for it. */
type Memory = {
  readonly files: readonly { readonly path: string; readonly was: KeptFile | undefined }[];
  readonly made: readonly string[];
};

/** Throws `path-invalid` where this user may not write, `store-full`, `store-damaged`. */
export async function carryOut(files: readonly PlannedFile[]): Promise<void> {
  const memories: Memory[] = [];
  try {
    for (const file of files.filter(isToDo)) {
      const memory = await remember(file);
      memories.push(memory);
      await write(file, memory.made);
    }
  } catch (error) {
    for (const memory of memories.toReversed()) await bringBack(memory).catch(() => undefined);
    throw error;
  }
  const folders = files.filter(({ next }) => next === undefined).flatMap(({ madeFolders }) => madeFolders);
  for (const folder of folders.toSorted((one, other) => other.length - one.length))
    await removeIfEmpty(folder);
}

export function isToDo({ now, next, beside }: PlannedFile): boolean {
  return now !== next || beside === "nothing";
}

async function remember({ path, next }: PlannedFile): Promise<Memory> {
  const paths = [path, copyPath(path), recordPath(path)];
  const files = await Promise.all(paths.map(async (each) => ({ path: each, was: await readKeptFile(each) })));
  return { files, made: next === undefined ? [] : await makeFoldersTo(dirname(path)) };
}

async function write(file: PlannedFile, made: readonly string[]): Promise<void> {
  const { path, next, access, beside } = file;
  const madeFolders = made.length > 0 ? made : file.madeFolders;
  if (typeof beside === "object") await keepBeside(file, beside, madeFolders);
  if (next === undefined) await removeKeptFile(path);
  else if (next !== file.now) await replaceKeptFile(path, next, access);
  if (beside !== "nothing") return;
  await removeKeptFile(copyPath(path));
  await removeKeptFile(recordPath(path));
}

async function keepBeside(
  { path, next = "", access }: PlannedFile,
  { before, change }: Kept,
  madeFolders: readonly string[],
): Promise<void> {
  if (before !== undefined) await replaceKeptFile(copyPath(path), before, access);
  const record = { left: fingerprintOf(next), change, hadFile: before !== undefined, madeFolders };
  await replaceKeptFile(recordPath(path), recordText(record), { ...access, mode: access.mode & 0o600 });
}

async function bringBack({ files, made }: Memory): Promise<void> {
  for (const { path, was } of files) {
    if (was === undefined) await removeKeptFile(path);
    else await replaceKeptFile(path, was.text, was.access);
  }
  for (const folder of made) await removeIfEmpty(folder);
}
