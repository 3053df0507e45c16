/** Warm blob bytes at 1 to 1,000 streams, against sendfile and against registries that serve their own store or a cached one. */
import type { Bench, Measurement } from "../bench.ts";
import { servers } from "../peers/all.ts";
import type { Contender } from "../peers/contender.ts";
import { takeTurns } from "../rounds.ts";
import { atLeastTimes, type Row, SERVERS } from "../row.ts";
import { processorPerGib } from "../support/processor-time.ts";
import { type WarmContender, withWarm } from "./with-warm.ts";

const STREAMS = [1, 4, 16, 64, 1000];
/** So many streams take a while to be all under way. */
const CROWD = 1000;
const CROWD_FACTOR = 3;

export const warmBlob: Measurement = {
  name: "warm-blob",
  measure: (bench) => warmBlobRows(bench, servers(bench), STREAMS),
};

/** A row for each number of streams of the big blob. */
export function warmBlobRows(
  bench: Bench,
  contenders: readonly Contender[],
  streams: readonly number[],
): Promise<Row[]> {
  return withWarm(bench, contenders, [bench.material.big], async (warm) => {
    const rows: Row[] = [];
    for (const connections of streams) rows.push(await rowOf(bench, warm, connections));
    return rows;
  });
}

async function rowOf(bench: Bench, warm: readonly WarmContender[], connections: number): Promise<Row> {
  const { path, size } = bench.material.big;
  const seconds = bench.runSeconds * (connections < CROWD ? 1 : CROWD_FACTOR);
  const name = `warm blob (${size / 2 ** 20} MiB), ${connections} stream${connections === 1 ? "" : "s"}`;
  const { speed = {}, processor = {} } = await takeTurns(bench, name, warm, async ({ started }) => {
    const { port, pid } = started;
    const report = await processorPerGib(pid, () => bench.runLoad({ port, path, connections, seconds }));
    return { speed: report.bytes / report.seconds / 1e9, processor: report.processor };
  });
  const checks = [atLeastTimes(speed, "nginx", 0.9)];
  return { name, unit: "GB/s", contenders: SERVERS, values: speed, processor, checks };
}
