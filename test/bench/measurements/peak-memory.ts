/**
 * Peak resident memory with 100 and 1,000 streams of one blob: of a fresh process over a warm store, and of a fresh process that
 * fills the blob from the upstream meanwhile.
 */
import { type Bench, dispose, type Measurement, startContender, withContender } from "../bench.ts";
import { caches, servers } from "../peers/all.ts";
import type { Contender } from "../peers/contender.ts";
import { presentOf, takeTurns } from "../rounds.ts";
import { atMost, CACHES, type Row, SERVERS } from "../row.ts";
import { peakMemory } from "../support/peak-memory.ts";
import { warmUp } from "../warm-up.ts";

type Kind = {
  readonly name: string;
  readonly streams: number;
  /** MB; undefined where nothing was set as a goal. */
  readonly most?: number;
  readonly contenders: Row["contenders"] & {};
  readonly measure: (bench: Bench, contender: Contender, streams: number) => Promise<{ megabytes: number }>;
};

export const WARM: Kind = {
  name: "warm",
  streams: 100,
  most: 120,
  contenders: SERVERS,
  measure: overWarmStore,
};
export const COLD: Kind = {
  name: "cold",
  streams: 100,
  most: 180,
  contenders: CACHES,
  measure: whileFilling,
};
const MANY_WARM: Kind = { name: "warm", streams: 1000, contenders: SERVERS, measure: overWarmStore };
/** Long enough for every stream to flow and for a garbage collector to have met the load. */
const RUN_FACTOR = 4;

export const peakMemoryOfStreams: Measurement = {
  name: "peak-memory",
  measure: async (bench) => [
    await memoryRow(bench, WARM, servers(bench)),
    await memoryRow(bench, MANY_WARM, servers(bench)),
    await memoryRow(bench, COLD, caches(bench)),
  ],
};

export async function memoryRow(bench: Bench, kind: Kind, among: readonly Contender[]): Promise<Row> {
  const { streams, most, contenders } = kind;
  const size = `${bench.material.big.size / 2 ** 20} MiB`;
  const name = `peak memory, ${streams.toLocaleString("en")} ${kind.name} streams (${size})`;
  const result = await takeTurns(bench, name, presentOf(bench, among), (contender) =>
    kind.measure(bench, contender, streams),
  );
  const values = result.megabytes ?? {};
  const checks = most === undefined ? [] : [atMost(values.granary, most, "MB")];
  return { name, unit: "MB", contenders, values, checks };
}

async function overWarmStore(bench: Bench, contender: Contender, streams: number) {
  const filled = await startContender(bench, contender);
  try {
    await warmUp(bench, contender, filled, bench.material.big);
  } finally {
    await filled.stop();
  }
  const fresh = await startContender(bench, contender, filled.place.upstream, filled.place.directory);
  try {
    return await streamAndLook(bench, fresh, streams);
  } finally {
    await dispose(fresh);
  }
}

function whileFilling(bench: Bench, contender: Contender, streams: number) {
  return withContender(bench, contender, bench.upstream, (started) => streamAndLook(bench, started, streams));
}

async function streamAndLook(
  bench: Bench,
  { port, pid }: { readonly port: number; readonly pid: number },
  connections: number,
): Promise<{ megabytes: number }> {
  const seconds = bench.runSeconds * RUN_FACTOR;
  await bench.runLoad({ port, path: bench.material.big.path, connections, seconds });
  return { megabytes: peakMemory(pid) / 1e6 };
}
