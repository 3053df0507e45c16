/**
 * Five hundred clients that pull the same fifty images at once through a slow line that takes few connections, as after a power cut: how much of
 * the line they get together, how often each byte crossed it, and whether some wait much longer than others.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type LineSettings, SlowLine } from "../../support/slow-line.ts";
import { type Bench, type Measurement, withContender } from "../bench.ts";
import { makeImages } from "../many-images.ts";
import { ALONE, atLeast, atMost, type Check, type Row } from "../row.ts";
import { watchedGranary, whileWatched } from "../support/watched.ts";

const CLIENTS = 500;
const IMAGES = 50;
const LINE: Partial<LineSettings> = {
  rate: 600e3,
  delayMs: 30,
  limit: { connections: 6, beyond: "refuse" },
};
/** The line takes half a minute; then every client reads all of it from the disk, all at the same time. */
const MOST_SECONDS = 150;
const LEAST_SHARE = 0.85;
const HEALTHY_MS = 20;
const MOST_MB = 300;

export const scaleCrowd: Measurement = {
  name: "scale-crowd",
  measure: async (bench) => {
    const images = makeImages(join(bench.directory, "images"), IMAGES);
    const contents = images.flat();
    const size = contents.reduce((sum, content) => sum + content.size, 0);
    const paths = join(bench.directory, "crowd.paths");
    writeFileSync(paths, `${contents.map(({ path }) => path).join("\n")}\n`);
    const upstream = await bench.startUpstreamOf(contents);
    const line = new SlowLine(LINE);
    try {
      const { port } = await line.front({ host: "127.0.0.1", port: upstream.port });
      const found = await pullAll(bench, port, paths);
      // With the heads of the answers; what the registry sent besides was lost on the way to the line.
      const crossings = line.account.carried / size;
      const lineSeconds = ((line.account.lastByteAt ?? Number.NaN) - found.begunAt) / 1_000;
      const share = size / lineSeconds / (LINE.rate ?? 1);
      bench.note(`scale-crowd: ${JSON.stringify({ ...found, crossings, share, line: line.account })}`);
      return rowsOf({ ...found, crossings, share });
    } finally {
      await line.close();
      await upstream.stop();
    }
  },
};

async function pullAll(bench: Bench, upstreamPort: number, paths: string) {
  return await withContender(
    bench,
    watchedGranary(bench),
    { url: `http://127.0.0.1:${upstreamPort}` },
    async (started) => {
      const load = {
        port: started.port,
        path: "/",
        paths,
        connections: CLIENTS,
        timeoutSeconds: MOST_SECONDS,
      };
      const begunAt = performance.now();
      const { result, ...felt } = await whileWatched(bench, started, () => bench.runLoad(load));
      const { seconds, ends, firstByteWorstMs } = result;
      return {
        ...felt,
        begunAt,
        seconds,
        whole: ends.count,
        spread: ends.first / ends.last,
        firstByteWorstMs,
      };
    },
  );
}

type Found = Awaited<ReturnType<typeof pullAll>> & { readonly crossings: number; readonly share: number };

function rowsOf(found: Found): Row[] {
  const row = (name: string, unit: Row["unit"], value: number, check: Check): Row => {
    const title = `${CLIENTS} clients pull ${IMAGES} images at once over ${(LINE.rate ?? 0) / 1e3} kB/s`;
    return {
      name: `${title}: ${name}`,
      unit,
      contenders: ALONE,
      values: { granary: value },
      checks: [check],
    };
  };
  return [
    row(
      "bytes over the line / bytes of the images",
      "x",
      found.crossings,
      atMost(found.crossings, 1.01, "x"),
    ),
    row("part of the line that was used", "x", found.share, atLeast(found.share, LEAST_SHARE, "x")),
    row("end of the first client / of the last", "x", found.spread, atLeast(found.spread, LEAST_SHARE, "x")),
    row("/healthz meanwhile, median", "ms", found.health, atMost(found.health, HEALTHY_MS, "ms")),
    row("peak memory", "MB", found.memory, atMost(found.memory, MOST_MB, "MB")),
  ];
}
