/**
 * Owns a real file system of a few megabytes that a test can fill to its last byte: a tmpfs in a mount namespace of its own. Programs
 * run inside of it by `enter`; the test itself reaches the files through `path`. It needs root, or user namespaces.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { tempDirectory } from "./temp-directory.ts";

export type SmallDisk = {
  /** As programs inside see it. */
  readonly inside: string;
  /** As the test sees it. */
  readonly path: string;
  /** The command that runs `command` inside, to be given to spawn. */
  enter(command: readonly string[]): readonly [string, ...string[]];
  /** Takes every byte that is left. */
  fill(): void;
  /** Gives back what `fill` took. */
  free(): void;
};

/** Of `size` as mount(8) writes it, such as "24m"; gone when the test is over. */
export async function smallDisk(size: string): Promise<SmallDisk> {
  const inside = await tempDirectory();
  const isRoot = process.getuid?.() === 0;
  const own = isRoot ? ["-m"] : ["-r", "-m"];
  const script = 'mount -t tmpfs -o size="$1" none "$0" && echo ready && exec sleep 600';
  const holder = spawn("unshare", [...own, "sh", "-c", script, inside, size], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => ended(holder));
  const [line] = await Promise.race([
    once(createInterface(holder.stdout), "line"),
    once(holder, "exit").then(() => [""]),
  ]);
  if (line !== "ready")
    throw new Error("No file system can be mounted here: run this as root, with unshare(1).");
  const path = join(`/proc/${holder.pid}/root`, inside);
  const ballast = join(path, "ballast");
  const namespaces = isRoot ? ["-m"] : ["-U", "--preserve-credentials", "-m"];
  return {
    inside,
    path,
    enter: (command) => ["nsenter", "-t", String(holder.pid), ...namespaces, ...command],
    fill: () => fillTo(ballast),
    free: () => rmSync(ballast, { force: true }),
  };
}

/** Ever smaller pieces, until not one byte goes in. */
function fillTo(path: string): void {
  for (const size of [2 ** 20, 2 ** 12, 1]) {
    const piece = Buffer.alloc(size, 1);
    while (wasAppended(path, piece));
  }
}

function wasAppended(path: string, piece: Uint8Array): boolean {
  try {
    writeFileSync(path, piece, { flag: "a" });
    return true;
  } catch {
    return false; // ENOSPC, as it should be.
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
