/** Warm blob bytes at 1, 4 and 16 streams, against sendfile and against both ways of running docker-registry. */
import type { Bench, Measurement } from "../bench.ts";
import { granary } from "../peers/granary.ts";
import { nginx } from "../peers/nginx.ts";
import { registry } from "../peers/registry.ts";
import { registryProxy } from "../peers/registry-proxy.ts";
import { takeTurns, type Values } from "../rounds.ts";
import { atLeastTimes, type Row } from "../row.ts";
import { withWarm } from "./with-warm.ts";

const STREAMS = [1, 4, 16];

export const warmBlob: Measurement = {
  name: "warm-blob",
  measure: (bench) =>
    withWarm(
      bench,
      [granary(bench.granaryLauncher), nginx, registry, registryProxy],
      [bench.material.big],
      async (warm) => {
        const rows: Row[] = [];
        for (const connections of STREAMS) {
          const { speed = {} } = await takeTurns(
            bench,
            `warm blob, ${connections} streams`,
            warm,
            async ({ started }) => {
              const { port } = started;
              const path = bench.material.big.path;
              const report = await bench.runLoad({ port, path, connections, seconds: bench.runSeconds });
              return { speed: report.bytes / report.seconds / 1e9 };
            },
          );
          rows.push(rowOf(bench, connections, speed));
        }
        return rows;
      },
    ),
};

function rowOf(bench: Bench, streams: number, values: Values): Row {
  const checks = [atLeastTimes(values, "nginx", 0.6)];
  if (streams === 4) checks.push(atLeastTimes(values, "proxy", 3));
  const size = `${bench.material.big.size / 2 ** 20} MiB`;
  return {
    name: `warm blob (${size}), ${streams} stream${streams === 1 ? "" : "s"}`,
    unit: "GB/s",
    values,
    checks,
  };
}
