/**
 * Owns the small machine: a control group with one core, 512 MB and no swap, which a contender's process enters before it starts. Each start
 * gets one of its own. Needs root and a writable hierarchy, of either version of control groups.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Contender } from "../peers/contender.ts";
import type { Enter } from "./children.ts";

const ROOT = "/sys/fs/cgroup";
const MEMORY = String(512 * 2 ** 20);
const CORE = "0";
/** The process moves itself in, so that all it ever allocates is counted. */
const ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift; exec "$@"';

/** A folder of the hierarchy, and its limits in the order in which they must be written. */
type Group = { readonly folder: string; readonly limits: Readonly<Record<string, string>> };

let groupNumber = 0;

/** Why there can be none here, in one sentence; undefined when there can. */
export async function smallMachineIsMissing(): Promise<string | undefined> {
  const groups = nextGroups();
  try {
    make(groups);
    return undefined;
  } catch (cause) {
    return `no control group can be made here: ${cause instanceof Error ? cause.message : cause}`;
  } finally {
    await remove(groups);
  }
}

/** The same contender in a small machine. At its end `killed` is told how many of its processes were killed for memory. */
export function inSmallMachine(contender: Contender, killed: (processes: number) => void): Contender {
  return {
    ...contender,
    start: async (place) => {
      const groups = nextGroups();
      make(groups);
      const enter: Enter = ["sh", "-c", ENTER, "sh", ...groups.map(({ folder }) => folder), "--"];
      const end = async () => {
        killed(countKilled(groups));
        await remove(groups);
      };
      try {
        const running = await contender.start({ ...place, enter });
        return { ...running, stop: () => running.stop().then(end) };
      } catch (cause) {
        await end();
        throw cause;
      }
    },
  };
}

function nextGroups(): readonly Group[] {
  const name = `granary-bench-${process.pid}-${++groupNumber}`;
  if (existsSync(join(ROOT, "cgroup.controllers"))) {
    const limits = { "memory.max": MEMORY, "memory.swap.max": "0", "cpuset.cpus": CORE };
    return [{ folder: join(ROOT, name), limits }];
  }
  const memory = { "memory.limit_in_bytes": MEMORY, "memory.memsw.limit_in_bytes": MEMORY };
  return [
    { folder: join(ROOT, "memory", name), limits: memory },
    { folder: join(ROOT, "cpuset", name), limits: { "cpuset.cpus": CORE, "cpuset.mems": "0" } },
  ];
}

function make(groups: readonly Group[]): void {
  for (const { folder, limits } of groups) {
    mkdirSync(folder);
    for (const [file, value] of Object.entries(limits)) writeFileSync(join(folder, file), value);
  }
}

/** A group stays busy for a moment after its last process has gone. */
async function remove(groups: readonly Group[]): Promise<void> {
  for (const { folder } of groups) {
    for (let tries = 100; existsSync(folder); tries--) {
      try {
        rmdirSync(folder);
      } catch (cause) {
        if (tries === 0) throw cause;
        await delay(20);
      }
    }
  }
}

function countKilled(groups: readonly Group[]): number {
  const [file = ""] = groups
    .flatMap(({ folder }) => [join(folder, "memory.events"), join(folder, "memory.oom_control")])
    .filter((path) => existsSync(path));
  return Number(/^oom_kill (\d+)$/m.exec(readFileSync(file, "utf8"))?.[1] ?? Number.NaN);
}
