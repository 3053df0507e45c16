/**
 * Owns what would become of files: what is there, merged with what is needed, or without it again. It reads, and changes nothing. One file
 * that cannot be used refuses the whole plan, so that nothing is done by halves.
 */
import { isDeepStrictEqual } from "node:util";
import { GranaryError, isGranaryError } from "../errors.ts";
import { lookAt, realPathOf } from "../files/disk.ts";
import { type FileAccess, readKeptFile } from "../files/kept-file.ts";
import { applyChange, revertChange } from "./apply-change.ts";
import type { FileChange } from "./change.ts";
import { fingerprintOf, readRecord } from "./undo-record.ts";

export type Kept = { readonly before: string | undefined; readonly change: FileChange["change"] };

export type PlannedFile = {
  /** Where it really lies: a symbolic link stays one. */
  readonly path: string;
  /** What lies there now; undefined where nothing does. */
  readonly now: string | undefined;
  /** What will lie there; undefined where nothing will. */
  readonly next: string | undefined;
  readonly access: FileAccess;
  /** What is kept beside it from then on: a copy and a record, or none any more; what is there when left out. */
  readonly beside?: Kept | "nothing";
  /** Removed with the file, as far as they are empty then, innermost first. */
  readonly madeFolders: readonly string[];
};

/** The files of `changes` with these in them. Throws `config-invalid`, `path-invalid`: a sentence that names the file. */
export function planChanges(changes: readonly FileChange[]): Promise<PlannedFile[]> {
  return Promise.all(changes.map(planChange));
}

async function planChange({
  path: named,
  change,
  begin = "",
  isSecret = false,
}: FileChange): Promise<PlannedFile> {
  const path = await placeOf(named);
  const [found, record] = [await readKeptFile(path), await readRecord(path)];
  const access = found?.access ?? { mode: isSecret ? 0o600 : 0o644 };
  const common = {
    path,
    now: found?.text,
    access,
    madeFolders: record?.madeFolders ?? [],
  };
  return sayingWhere(named, () => {
    if (found !== undefined && (record === undefined || isDeepStrictEqual(record.change, change))) {
      const next = applyChange(found.text, change);
      if (next === found.text) return { ...common, next };
    }
    const before = beforeOf(found?.text, record);
    const next = applyChange(before ?? begin, change);
    return { ...common, next, beside: { before, change } };
  });
}

/** Where the file lies, or will lie. A link to nothing is somebody's mistake, and a file in its place would hide it. */
async function placeOf(named: string): Promise<string> {
  const real = await realPathOf(named);
  if (real !== undefined || (await lookAt(named)) === undefined) return real ?? named;
  const text = `${named} is left as it is: it is a symbolic link to a file that is not there. Make that file, or remove the link.`;
  throw new GranaryError("config-invalid", text, { target: named, saysWhatToDo: true });
}

type KnownRecord = NonNullable<Awaited<ReturnType<typeof readRecord>>>;

/** The file as it would be without what an earlier setup did to it. */
function beforeOf(now: string | undefined, record: KnownRecord | undefined): string | undefined {
  if (record === undefined || now === undefined) return now;
  if (fingerprintOf(now) === record.left) return record.hadFile ? record.before : undefined;
  return revertChange(now, record.change, record.before);
}

/** The files that setup changed, of `paths`, as they were before; what others changed since stays. Throws as `planChanges` does. */
export async function planUndo(paths: readonly string[]): Promise<PlannedFile[]> {
  const planned = await Promise.all(paths.map(planUndoOf));
  return planned.filter((file) => file !== undefined);
}

async function planUndoOf(named: string): Promise<PlannedFile | undefined> {
  const path = await placeOf(named);
  const record = await readRecord(path);
  if (record === undefined) return undefined;
  const found = await readKeptFile(path);
  const { madeFolders } = record;
  const next = sayingWhere(named, () => beforeOf(found?.text, record));
  const isGone = next === undefined || (!record.hadFile && next.trim() === "");
  return {
    path,
    now: found?.text,
    next: isGone ? undefined : next,
    access: found?.access ?? { mode: 0o644 },
    beside: "nothing",
    madeFolders,
  };
}

/** What `work` throws, as a sentence that begins with the file. */
function sayingWhere<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isGranaryError(error, "config-invalid")) throw error;
    const text = `${path} is left as it is: ${error.message.replace(/\.$/, "")}.`;
    throw new GranaryError("config-invalid", text, { cause: error, target: path, saysWhatToDo: true });
  }
}
