/**
 * Owns a look into the event loop of the process that it is loaded into (`node --import`): how long it was blocked. On SIGUSR2 it writes that to
 * LOOP_FILE in its working directory and begins anew. It is for the bench only: it wakes its process two hundred times a second.
 */
import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";

export type LoopReport = {
  /** The longest block, and those that one in a hundred turns was longer than, ms. */
  readonly mostMs: number;
  readonly p99Ms: number;
  /** The part of the time in which it worked. */
  readonly busy: number;
};

export const LOOP_FILE = "loop.json";

/** How often it looks, ms. */
export const RESOLUTION_MS = 5;

if (process.argv.includes("serve")) watch();

/** Of a delay that monitorEventLoopDelay has measured (nanoseconds): what was more than the time between two looks, ms. */
export function blockedMs(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
}

function watch(): void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let before = performance.eventLoopUtilization();
  process.on("SIGUSR2", () => {
    const now = performance.eventLoopUtilization();
    const busy = performance.eventLoopUtilization(now, before).utilization;
    const report: LoopReport = { mostMs: blockedMs(delay.max), p99Ms: blockedMs(delay.percentile(99)), busy };
    delay.reset();
    before = now;
    writeFileSync(LOOP_FILE, JSON.stringify(report));
  });
}
