/** A warm blob through the proxy, whose TLS ends in Granary, beside nginx with TLS over the same file: the same curl asks both. */
import { join } from "node:path";
import { freePort } from "../../support/free-ports.ts";
import { type Bench, dispose, type Measurement, startContender } from "../bench.ts";
import { granary, UPSTREAM_NAME } from "../peers/granary.ts";
import { takeTurns } from "../rounds.ts";
import { atLeastTimes, type Row, TLS_SERVERS } from "../row.ts";
import { runCommand } from "../support/children.ts";
import { processorPerGib } from "../support/processor-time.ts";
import { startTlsUpstream } from "../support/tls-upstream.ts";
import { warmUp } from "../warm-up.ts";

const STREAMS = [1, 4];

type Entrant = {
  readonly name: (typeof TLS_SERVERS)[number];
  readonly pid: number;
  /** Arguments of curl, without the path. */
  readonly how: readonly string[];
  readonly base: string;
};

export const interceptedBlob: Measurement = {
  name: "intercepted-blob",
  measure: async (bench) => {
    const nginx = await startTlsUpstream(bench.material, bench.directory);
    if (!nginx?.caFile) {
      bench.note("skipping intercepted-blob: it needs nginx and openssl.");
      return [];
    }
    const proxy = await freePort();
    const contender = granary(bench.granaryLauncher, undefined, undefined, [], proxy);
    const started = await startContender(bench, contender);
    try {
      await warmUp(bench, contender, started, bench.material.big);
      const authority = join(started.place.directory, "data/authority/ca.crt");
      const how = ["--cacert", authority, "--proxy", `http://127.0.0.1:${proxy}`];
      const entrants: Entrant[] = [
        { name: "granary", pid: started.pid, how, base: `https://${UPSTREAM_NAME}` },
        { name: "nginxTls", pid: nginx.pid, how: ["--cacert", nginx.caFile], base: nginx.url },
      ];
      const rows: Row[] = [];
      for (const streams of STREAMS) rows.push(await rowOf(bench, entrants, streams));
      return rows;
    } finally {
      await dispose(started);
      await nginx.stop();
    }
  },
};

async function rowOf(bench: Bench, entrants: readonly Entrant[], streams: number): Promise<Row> {
  const { path, size } = bench.material.big;
  const name = `warm blob (${size / 2 ** 20} MiB) by curl over TLS, ${streams} stream${streams === 1 ? "" : "s"}`;
  const { speed = {}, processor = {} } = await takeTurns(bench, name, entrants, async (entrant) => {
    const { pid, how, base } = entrant;
    const curl = () =>
      runCommand("curl", ["--silent", "--fail", "--output", "/dev/null", ...how, base + path]);
    const report = await processorPerGib(pid, async () => {
      const begunAt = performance.now();
      await Promise.all(Array.from({ length: streams }, curl));
      return { bytes: streams * size, seconds: (performance.now() - begunAt) / 1000 };
    });
    return { speed: report.bytes / report.seconds / 1e9, processor: report.processor };
  });
  const checks = [atLeastTimes(speed, "nginxTls", 0.8, "nginx with TLS")];
  return { name, unit: "GB/s", contenders: TLS_SERVERS, values: speed, processor, checks };
}
