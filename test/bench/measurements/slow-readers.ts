/** What a thousand clients that read slowly cost a fast one: its speed beside them, as a share of its speed alone. */
import type { Bench, Measurement } from "../bench.ts";
import { granary } from "../peers/granary.ts";
import { nginx } from "../peers/nginx.ts";
import { takeTurns } from "../rounds.ts";
import { atLeast, type Row, SERVERS } from "../row.ts";
import { untilAtRest } from "../support/processor-time.ts";
import { openSlowReaders } from "../support/slow-readers.ts";
import { type WarmContender, withWarm } from "./with-warm.ts";

const READERS = 1_000;

export const slowReaders: Measurement = {
  name: "slow-readers",
  measure: (bench) =>
    withWarm(bench, [granary(bench.granaryLauncher), nginx], [bench.material.big], async (warm) => [
      await rowOf(bench, warm),
    ]),
};

async function rowOf(bench: Bench, warm: readonly WarmContender[]): Promise<Row> {
  const { path, size } = bench.material.big;
  const readers = READERS.toLocaleString("en");
  const name = `warm blob (${size / 2 ** 20} MiB), 1 fast stream beside ${readers} slow readers: share of its lone speed`;
  const { share = {} } = await takeTurns(bench, name, warm, async ({ started: { port, pid } }) => {
    const speed = async () => {
      const report = await bench.runLoad({ port, path, connections: 1, seconds: bench.runSeconds });
      return report.bytes / report.seconds;
    };
    const alone = await speed();
    const slow = await openSlowReaders(port, path, READERS);
    try {
      // Until the system's buffers for each of them are full: so long all of them are fast.
      await untilAtRest(pid);
      return { share: (await speed()) / alone };
    } finally {
      slow.close();
    }
  });
  return { name, unit: "x", contenders: SERVERS, values: share, checks: [atLeast(share.granary, 0.8, "x")] };
}
