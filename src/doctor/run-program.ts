/** Owns running a client's program to its end: without a shell, within a time, with its output bounded. It reads no more than that. */
import { execFile } from "node:child_process";
import { access, constants, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Environment } from "../environment.ts";

export type Ran = { readonly isDone: boolean; readonly out: string; readonly err: string };

const MOST_BYTES = 1024 * 1024;

/** Never throws: what could not be started has failed. */
export function runProgram(path: string, args: readonly string[], timeoutMs: number): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { timeout: timeoutMs, maxBuffer: MOST_BYTES, killSignal: "SIGKILL" as const };
    execFile(path, [...args], options, (error, out, err) => {
      const why =
        error !== null && "killed" in error && error.killed === true
          ? "it took too long"
          : (error?.message ?? "");
      resolve({ isDone: error === null, out, err: err.trim() === "" ? why : err });
    });
  });
}

/** Where daemons lie on Debian, which is not in everybody's PATH. */
const MORE_PLACES = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The path of a program; undefined where it is not installed. */
export async function findProgram(name: string, { PATH = "" }: Environment): Promise<string | undefined> {
  for (const place of [...PATH.split(delimiter), ...MORE_PLACES].filter((each) => each !== "")) {
    const path = join(place, name);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}

/** The last line that says something, for a sentence. */
export function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.trim().slice(0, 300) ?? "";
}

/** Gives `work` an empty folder, and removes it afterwards with all that is in it. */
export async function inScratchFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "granary-doctor-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
