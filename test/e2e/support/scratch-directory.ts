/**
 * Owns a temporary directory of one test and its end: whatever the clients mounted below it is unmounted, then all
 * of it is removed. It must never remove a tree that still has something mounted in it.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "./run-command.ts";

/** A new directory that goes away, mounts and all, when `cleanup` is disposed. */
export async function scratchDirectory(cleanup: AsyncDisposableStack, name: string): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), `granary-e2e-${name}-`));
  cleanup.defer(() => removeTree(path));
  return path;
}

async function removeTree(path: string): Promise<void> {
  for (const mounted of await mountsBelow(path)) await runCommand("umount", ["-l", mounted]);
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Innermost first. */
async function mountsBelow(path: string): Promise<string[]> {
  const table = await readFile("/proc/self/mountinfo", "utf8").catch(() => "");
  const points = table.split("\n").map((line) => line.split(" ")[4] ?? "");
  return points.filter((point) => point.startsWith(`${path}/`)).reverse();
}
