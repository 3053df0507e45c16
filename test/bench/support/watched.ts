/**
 * Owns how a Granary feels to everybody else while it works: `/healthz`, asked every few milliseconds by a process of its own, and how long its
 * event loop was blocked (loop-watch.ts), beside the loop of a process that does nothing: machines stand still, for half a second where others
 * write to the disks of the same host. It says nothing of the work itself.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import type { Bench, Started } from "../bench.ts";
import type { Contender } from "../peers/contender.ts";
import { granary } from "../peers/granary.ts";
import { atMost, BESIDE_IDLE, type Row } from "../row.ts";
import { blockedMs, LOOP_FILE, type LoopReport, RESOLUTION_MS } from "./loop-watch.ts";
import { peakMemory } from "./peak-memory.ts";

export type Watched = {
  /** Answers of /healthz, ms. */
  readonly health: number;
  readonly healthWorst: number;
  readonly loop: LoopReport;
  /** The longest block of the event loop of this process, which only waits meanwhile, ms. */
  readonly idleMs: number;
  /** Peak since the start, MB. */
  readonly memory: number;
};

const EVERY_MS = 10;
const MOST_BLOCKED_MS = 20;

/** A Granary that `whileWatched` can look into. */
export function watchedGranary(bench: Bench, lanes?: number, admin?: number): Contender {
  const watch = join(import.meta.dirname, "loop-watch.ts");
  return granary(bench.granaryLauncher, lanes, admin, [
    "--disable-warning=ExperimentalWarning",
    "--import",
    watch,
  ]);
}

/** What others saw while `work` ran. */
export async function whileWatched<T>(
  bench: Bench,
  started: Started,
  work: () => Promise<T>,
): Promise<Watched & { readonly result: T }> {
  await loopReport(started);
  const idle = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  idle.enable();
  const over = new AbortController();
  const asking = bench.runLoad(
    { port: started.port, path: "/healthz", everyMs: EVERY_MS, seconds: 400, timeoutSeconds: 500 },
    over.signal,
  );
  try {
    const result = await work();
    const loop = await loopReport(started);
    const idleMs = blockedMs(idle.max);
    over.abort();
    const { wholeMs: health, wholeWorstMs: healthWorst } = await asking;
    return { result, health, healthWorst, loop, idleMs, memory: peakMemory(started.pid) / 1e6 };
  } finally {
    idle.disable();
    over.abort();
  }
}

/** No more than MOST_BLOCKED_MS longer than a process beside it that does nothing. */
export function blockRow(title: string, { loop, idleMs }: Pick<Watched, "loop" | "idleMs">): Row {
  const values = { granary: loop.mostMs, idle: idleMs };
  const check = atMost(loop.mostMs - idleMs, MOST_BLOCKED_MS, "ms");
  const checks = [{ ...check, wanted: `${check.wanted} more than an idle process` }];
  return {
    name: `${title}: longest block of the event loop`,
    unit: "ms",
    contenders: BESIDE_IDLE,
    values,
    checks,
  };
}

/** Since it was asked last. */
async function loopReport({ pid, place }: Started): Promise<LoopReport> {
  const file = join(place.directory, LOOP_FILE);
  rmSync(file, { force: true });
  process.kill(pid, "SIGUSR2");
  const deadline = Date.now() + 10_000;
  while (!existsSync(file) || readFileSync(file, "utf8") === "") {
    if (Date.now() > deadline) throw new Error("the watched process does not report");
    await delay(5);
  }
  return JSON.parse(readFileSync(file, "utf8"));
}
