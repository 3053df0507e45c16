/**
 * Owns reading and replacing a file that belongs to somebody else: who may read it stays as it was, and whoever reads it meanwhile sees the
 * old text or the new one. It must never go over into a file that lies where its draft would.
 */
import { constants } from "node:fs";
import { chmod, chown, mkdir, readFile, rename, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { GranaryError } from "../errors.ts";
import { diskError, errnoOf, unlessAbsent } from "./disk-error.ts";
import { syncDirectory } from "./durable-file.ts";
import { OpenFile } from "./open-file.ts";

/** Who owns a file, and who may do what with it. */
export type FileAccess = { readonly mode: number; readonly uid?: number; readonly gid?: number };

export type KeptFile = { readonly text: string; readonly access: FileAccess };

/** More than any configuration that a person edits. */
const MOST_BYTES = 4 * 1024 * 1024;

/** What is there; undefined where nothing is. Throws `path-invalid` for what is no text file, or may not be read. */
export async function readKeptFile(path: string): Promise<KeptFile | undefined> {
  try {
    const found = await unlessAbsent(`looking at ${path}`, stat(path));
    if (found === undefined) return undefined;
    if (!found.isFile()) throw unusable(path, "is not a file");
    if (found.size > MOST_BYTES) throw unusable(path, "is too large for a configuration");
    const bytes = await readFile(path);
    return {
      text: textOf(path, bytes),
      access: { mode: found.mode & 0o7777, uid: found.uid, gid: found.gid },
    };
  } catch (error) {
    throw permissionError(error, path, "read") ?? diskError(error, `reading ${path}`);
  }
}

/** With its byte order mark, if it has one. */
function textOf(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw unusable(path, "is not text in UTF-8");
  }
}

/** Replaces `path`, or makes it, by a draft beside it, a sync and a rename. Throws `path-invalid` where that is not allowed. */
export async function replaceKeptFile(path: string, text: string, access: FileAccess): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}.granary-${process.pid}`);
  try {
    await rm(draft, { force: true });
    await writeDraft(draft, text, access);
    await rename(draft, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw permissionError(error, path, "written") ?? diskError(error, `writing ${path}`);
  }
}

async function writeDraft(draft: string, text: string, { mode, uid, gid }: FileAccess): Promise<void> {
  const file = await OpenFile.open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    await file.write(0, [Buffer.from(text)]);
    const isOurs = uid === undefined || (uid === process.geteuid?.() && gid === process.getegid?.());
    if (!isOurs && gid !== undefined) await chown(draft, uid, gid);
    await chmod(draft, mode);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Removes a file; one that is not there is removed already. Throws `path-invalid` where that is not allowed. */
export async function removeKeptFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw permissionError(error, path, "removed") ?? diskError(error, `removing ${path}`);
  }
}

/** Makes `directory` and those above it. Those that were made, innermost first. Throws `path-invalid` where that is not allowed. */
export async function makeFoldersTo(directory: string): Promise<string[]> {
  try {
    const outermost = await mkdir(directory, { recursive: true, mode: 0o755 });
    const made: string[] = [];
    for (let at = directory; outermost !== undefined && at.length >= outermost.length; at = dirname(at))
      made.push(at);
    return made;
  } catch (error) {
    if (["EEXIST", "ENOTDIR"].includes(errnoOf(error) ?? ""))
      throw unusable(directory, "cannot be a directory: a file is in the way");
    throw permissionError(error, directory, "made") ?? diskError(error, `creating ${directory}`);
  }
}

/** Removes a directory that is empty; one that is not, or is not there, stays as it is. */
export async function removeIfEmpty(directory: string): Promise<void> {
  await rmdir(directory).catch(() => undefined);
}

function permissionError(error: unknown, path: string, what: string): GranaryError | undefined {
  const errno = errnoOf(error);
  if (errno === "EROFS")
    return unusable(path, `cannot be ${what}: it is on a disk that nobody may write to`, error);
  if (errno !== "EACCES" && errno !== "EPERM") return undefined;
  return unusable(path, `cannot be ${what} by this user: run it with sudo`, error);
}

function unusable(path: string, why: string, cause?: unknown): GranaryError {
  const facts = { target: path, saysWhatToDo: true, ...(cause !== undefined && { cause }) };
  return new GranaryError("path-invalid", `${path} ${why}.`, facts);
}
