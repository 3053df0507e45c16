/**
 * Owns how a Granary feels to everybody else while it works: `/healthz`, asked every few milliseconds by a process of its own, and how long its
 * event loop was blocked (loop-watch.ts). It says nothing of the work itself.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Bench, Started } from "../bench.ts";
import type { Contender } from "../peers/contender.ts";
import { granary } from "../peers/granary.ts";
import { LOOP_FILE, type LoopReport } from "./loop-watch.ts";
import { peakMemory } from "./peak-memory.ts";

export type Watched = {
  /** Answers of /healthz, ms. */
  readonly health: number;
  readonly healthWorst: number;
  readonly loop: LoopReport;
  /** Peak since the start, MB. */
  readonly memory: number;
};

const EVERY_MS = 10;

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
  const over = new AbortController();
  const asking = bench.runLoad(
    { port: started.port, path: "/healthz", everyMs: EVERY_MS, seconds: 400, timeoutSeconds: 500 },
    over.signal,
  );
  try {
    const result = await work();
    const loop = await loopReport(started);
    over.abort();
    const { wholeMs: health, wholeWorstMs: healthWorst } = await asking;
    return { result, health, healthWorst, loop, memory: peakMemory(started.pid) / 1e6 };
  } finally {
    over.abort();
  }
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
