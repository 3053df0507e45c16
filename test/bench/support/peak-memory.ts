/** Owns one number: the peak resident memory of a process and its children, from /proc (Linux only). */
import { readFileSync } from "node:fs";

/** Sum of VmHWM over the process tree, bytes. */
export function peakMemory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kibibytes = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN);
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children
    .split(" ")
    .filter((child) => child !== "")
    .reduce((sum, child) => sum + peakMemory(Number(child)), kibibytes * 1024);
}
