/**
 * Owns the lock file that keeps two processes out of one storage directory. It names a process by pid and start
 * time, because pids come back (in a container every run is pid 1). It must never take a lock whose owner lives.
 */
import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GranaryError } from "../errors.ts";
import { errnoOf } from "./disk-error.ts";

type Owner = { readonly pid: number; readonly startedAt: string; readonly token: string };

/** Directories that this very process holds: its own pid in a lock file says nothing about a second open. */
const heldHere = new Set<string>();

/**
 * Takes the lock of `directory`, also from a dead owner; returns the idempotent release. Throws `config-invalid` when a living
 * process holds it.
 */
export async function acquireDirectoryLock(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, "granary.lock");
  if (heldHere.has(path)) throw heldError(directory, process.pid);
  heldHere.add(path);
  try {
    const mine: Owner = { pid: process.pid, startedAt: await startOf(process.pid), token: randomUUID() };
    await takeLock(directory, path, JSON.stringify(mine));
    return () => release(path, JSON.stringify(mine));
  } catch (error) {
    heldHere.delete(path);
    throw error;
  }
}

async function takeLock(directory: string, path: string, mine: string): Promise<void> {
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, mine);
  try {
    while (!(await linkIfAbsent(draft, path))) await clearStale(directory, path);
  } finally {
    await rm(draft, { force: true });
  }
}

/** link(2) creates the lock with its text in one step, so nobody ever reads an empty one. */
async function linkIfAbsent(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Moves a dead owner's lock aside. Two who do so at once: the one who moved a fresh lock puts it back and gives up. */
async function clearStale(directory: string, path: string): Promise<void> {
  const seen = await readIfThere(path);
  if (seen === undefined) return;
  const owner = parseOwner(seen);
  if (owner !== undefined && (await lives(owner))) throw heldError(directory, owner.pid);
  const aside = `${path}.${process.pid}.stale`;
  await rename(path, aside).catch((error) => {
    if (errnoOf(error) !== "ENOENT") throw error;
  });
  const moved = await readIfThere(aside);
  if (moved !== undefined && moved !== seen) await linkIfAbsent(aside, path);
  await rm(aside, { force: true });
}

async function release(path: string, mine: string): Promise<void> {
  if (!heldHere.delete(path)) return;
  if ((await readIfThere(path)) === mine) await rm(path, { force: true });
}

async function lives(owner: Owner): Promise<boolean> {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return false;
  }
  const startedAt = await startOf(owner.pid);
  return startedAt === "" || owner.startedAt === "" || startedAt === owner.startedAt;
}

/** Boot and start time of `pid`, or "" where the system hides them or has none to tell: then the pid alone decides. */
async function startOf(pid: number): Promise<string> {
  try {
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
    const status = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name in field 2 may hold anything, so count from its closing bracket: start time is field 22.
    return `${boot.trim()}/${status.slice(status.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return ""; // No /proc, or not for us: an unknown start never makes a lock stale.
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function parseOwner(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<Owner>;
    if (!Number.isSafeInteger(owner.pid) || typeof owner.startedAt !== "string") return undefined;
    return { pid: Number(owner.pid), startedAt: owner.startedAt, token: String(owner.token) };
  } catch {
    return undefined; // A torn lock: its writer died, for link(2) publishes only whole ones.
  }
}

function heldError(directory: string, pid: number): GranaryError {
  return new GranaryError(
    "config-invalid",
    `The directory ${directory} is in use by process ${pid}: stop that one, or use another directory (of a server: storage.directory).`,
    { target: directory, found: pid },
  );
}
