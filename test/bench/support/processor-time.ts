/** Owns one number: the processor time of a process and its children, from /proc (Linux only). */
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

const GIB = 2 ** 30;
/** USER_HZ is 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
/** A twentieth of a core. */
const REST_MS = 400;
const REST_TICKS = 2;
const MOST_LOOKS = 50;

/** Seconds of the processor for each GiB of what a process did meanwhile, or what the children did that this process has waited for. */
export async function processorPerGib<T extends { readonly bytes: number }>(
  whose: number | "reaped",
  run: () => Promise<T>,
): Promise<T & { readonly processor: number }> {
  const look = () => (whose === "reaped" ? sum(ticksOf(process.pid).slice(2)) : processorTicks(whose));
  const before = look();
  const result = await run();
  const processor = (look() - before) / TICKS_PER_SECOND / (result.bytes / GIB);
  return { ...result, processor };
}

/** Resolves when the process has used next to no processor time for a while: what it was given to do is done. Throws when it never rests. */
export async function untilAtRest(pid: number): Promise<void> {
  for (let look = 0, before = processorTicks(pid); look < MOST_LOOKS; look++) {
    await setTimeout(REST_MS);
    const now = processorTicks(pid);
    if (now - before <= REST_TICKS) return;
    before = now;
  }
  throw new Error("the server does not come to rest");
}

/** So far, of all threads, of the living tree below it, and of what each has already reaped. Throws when it is gone. */
function processorTicks(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  const below = children.filter((child) => child !== "").map((child) => processorTicks(Number(child)));
  return sum([...ticksOf(pid), ...below]);
}

/** utime, stime, cutime and cstime (proc_pid_stat(5)). The name before them is in brackets and may hold anything. */
function ticksOf(pid: number): number[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).map(Number);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
