/**
 * Owns what is kept beside a file that setup changed: a copy of what was there before, and a record of the change. Both have the file's
 * name with an ending that no client reads. It must never be open to more people than the file itself.
 */
import { createHash } from "node:crypto";
import { GranaryError } from "../errors.ts";
import { readKeptFile } from "../files/kept-file.ts";
import type { FileEdit } from "./change.ts";

export type UndoRecord = {
  /** Of the file as it was left, to tell whether somebody changed it since. */
  readonly left: string;
  readonly change: FileEdit;
  /** There was a file before; its text is in the copy. */
  readonly hadFile: boolean;
  /** Directories that were made for it, innermost first. */
  readonly madeFolders: readonly string[];
};

const ENDING = ".granary-undo";

export function copyPath(path: string): string {
  return `${path}.before-granary`;
}

export function recordPath(path: string): string {
  return `${path}${ENDING}`;
}

/** The file that the record at `path` is of; undefined where `path` is no record. */
export function fileOfRecord(path: string): string | undefined {
  return path.endsWith(ENDING) ? path.slice(0, -ENDING.length) : undefined;
}

export function fingerprintOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export function recordText(record: UndoRecord): string {
  const about =
    "Kept by `granary setup`: its --undo needs it. It can be removed when nothing is to be undone.";
  return `${JSON.stringify({ about, version: 1, ...record }, undefined, 2)}\n`;
}

/** What is kept of `path`; undefined where setup never changed it. Throws `config-invalid` for a record that cannot be used. */
export async function readRecord(
  path: string,
): Promise<(UndoRecord & { readonly before: string }) | undefined> {
  const kept = await readKeptFile(recordPath(path));
  if (kept === undefined) return undefined;
  const record = parseRecord(kept.text);
  if (record === undefined) throw unusable(path);
  const copy = record.hadFile ? await readKeptFile(copyPath(path)) : undefined;
  if (record.hadFile && copy === undefined) throw unusable(path);
  return { ...record, before: copy?.text ?? "" };
}

function parseRecord(text: string): UndoRecord | undefined {
  try {
    const found: UndoRecord & { readonly version: number } = JSON.parse(text);
    const isWhole =
      found.version === 1 && Array.isArray(found.change.edits) && typeof found.left === "string";
    return isWhole
      ? { ...found, madeFolders: found.madeFolders.filter((each) => typeof each === "string") }
      : undefined;
  } catch {
    return undefined;
  }
}

function unusable(path: string): GranaryError {
  const text = `What was kept of ${path} is incomplete (${recordPath(path)}, ${copyPath(path)}): mend the file by hand, and remove these two.`;
  return new GranaryError("config-invalid", text, { target: path, saysWhatToDo: true });
}
