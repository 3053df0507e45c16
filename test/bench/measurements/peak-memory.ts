/**
 * Peak resident memory with 100 streams of one blob: of a fresh process over a warm store, and of a fresh process that
 * fills the blob from the upstream meanwhile.
 */
import { type Bench, dispose, type Measurement, startContender, withContender } from "../bench.ts";
import type { Contender } from "../peers/contender.ts";
import { granary } from "../peers/granary.ts";
import { nginx } from "../peers/nginx.ts";
import { registry } from "../peers/registry.ts";
import { registryProxy } from "../peers/registry-proxy.ts";
import { presentOf, takeTurns } from "../rounds.ts";
import { atMost, type Row } from "../row.ts";
import { peakMemory } from "../support/peak-memory.ts";
import { warmUp } from "../warm-up.ts";

const STREAMS = 100;
const MOST_MB = 200;
/** Long enough for every stream to flow and for a garbage collector to have met the load. */
const RUN_FACTOR = 4;

export const peakMemoryOfStreams: Measurement = {
  name: "peak-memory",
  measure: async (bench) => [
    await memoryRow(
      bench,
      "warm",
      [granary(bench.granaryLauncher), nginx, registry, registryProxy],
      overWarmStore,
    ),
    await memoryRow(bench, "cold", [granary(bench.granaryLauncher), registryProxy], whileFilling),
  ],
};

async function memoryRow(
  bench: Bench,
  kind: string,
  contenders: readonly Contender[],
  measure: (bench: Bench, contender: Contender) => Promise<{ megabytes: number }>,
): Promise<Row> {
  const name = `peak memory, ${STREAMS} ${kind} streams (${bench.material.big.size / 2 ** 20} MiB)`;
  const present = presentOf(bench, contenders);
  const result = await takeTurns(bench, name, present, (contender) => measure(bench, contender), 1);
  const values = result.megabytes ?? {};
  return { name, unit: "MB", values, checks: [atMost(values.granary, MOST_MB, "MB")] };
}

async function overWarmStore(bench: Bench, contender: Contender): Promise<{ megabytes: number }> {
  const filled = await startContender(bench, contender);
  try {
    await warmUp(bench, contender, filled, bench.material.big);
  } finally {
    await filled.stop();
  }
  const fresh = await startContender(bench, contender, filled.place.upstreamPort, filled.place.directory);
  try {
    return await streamAndLook(bench, fresh);
  } finally {
    await dispose(fresh);
  }
}

function whileFilling(bench: Bench, contender: Contender): Promise<{ megabytes: number }> {
  return withContender(bench, contender, bench.upstream.port, (started) => streamAndLook(bench, started));
}

async function streamAndLook(
  bench: Bench,
  started: { port: number; pid: number },
): Promise<{ megabytes: number }> {
  const seconds = bench.runSeconds * RUN_FACTOR;
  await bench.runLoad({ port: started.port, path: bench.material.big.path, connections: STREAMS, seconds });
  return { megabytes: peakMemory(started.pid) / 1e6 };
}
