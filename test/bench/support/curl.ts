/** Owns the simplest cold client there is: curl to a file on the same disk. */
import { rmSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { runCommand } from "./children.ts";

/** Seconds it took; the file is removed. Throws when curl fails or is not installed. */
export async function fetchToDisk(url: string, target: string): Promise<number> {
  const startedAt = performance.now();
  await runCommand("curl", ["--silent", "--show-error", "--fail", "--output", target, url]);
  const seconds = (performance.now() - startedAt) / 1000;
  rmSync(target);
  return seconds;
}
