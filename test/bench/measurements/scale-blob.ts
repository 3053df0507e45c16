/**
 * One very large cold blob in sixteen parts at once, as Ollama asks for it: bytes per second, how often it crossed from the upstream, and what
 * everybody else feels of it meanwhile, beside curl to disk.
 */
import { join } from "node:path";
import { type Bench, type Measurement, withContender } from "../bench.ts";
import type { Content } from "../material.ts";
import { ALONE, atLeastTimes, atMost, type Row } from "../row.ts";
import { fetchToDisk } from "../support/curl.ts";
import { repeated } from "../support/made-up.ts";
import { settledBytes } from "../support/settled-bytes.ts";
import { blockRow, watchedGranary, whileWatched } from "../support/watched.ts";

const GIB = 2 ** 30;
const PARTS = 16;
const ONCE = 1.005;
const HEALTHY_MS = 5;
const MOST_MEMORY_MB = 300;

export const scaleBlob: Measurement = {
  name: "scale-blob",
  measure: async (bench) => {
    const blob = repeated(bench.material.small, bench.rounds === 1 ? 3 * GIB : 12 * GIB);
    const upstream = await bench.startUpstreamOf([blob]);
    try {
      const { seconds } = await fetchToDisk(upstream, blob, join(bench.directory, "curl-target"));
      await upstream.reset();
      const found = await inParts(bench, blob, upstream);
      bench.note(`scale-blob: ${JSON.stringify({ ...found, curl: seconds })}`);
      return rowsOf(blob, found, blob.size / seconds / 1e9);
    } finally {
      await upstream.stop();
    }
  },
};

async function inParts(bench: Bench, blob: Content, upstream: Awaited<ReturnType<Bench["startUpstreamOf"]>>) {
  return await withContender(bench, watchedGranary(bench), upstream, async (started) => {
    const { port } = started;
    const load = {
      port,
      path: blob.path,
      connections: PARTS,
      requests: 1,
      partsOf: blob.size,
      timeoutSeconds: 300,
    };
    const { result, ...felt } = await whileWatched(bench, started, () => bench.runLoad(load));
    const crossings = (await settledBytes(upstream, blob.path)) / blob.size;
    return { ...felt, speed: result.bytes / result.seconds / 1e9, crossings };
  });
}

function rowsOf(blob: Content, found: Awaited<ReturnType<typeof inParts>>, direct: number): Row[] {
  const name = `cold blob of ${blob.size / GIB} GiB in ${PARTS} parts`;
  const alone = { contenders: ALONE };
  const speed = { granary: found.speed, direct };
  return [
    { name, unit: "GB/s", values: speed, checks: [atLeastTimes(speed, "direct", 0.6, "curl to disk")] },
    {
      name: `${name}: upstream bytes / blob`,
      unit: "x",
      values: { granary: found.crossings },
      checks: [{ ...atMost(found.crossings, ONCE, "x"), wanted: "1.00x" }],
    },
    msRow(`${name}: /healthz meanwhile, median`, found.health, HEALTHY_MS),
    blockRow(name, found),
    {
      ...{ ...alone, name: `${name}: peak memory`, unit: "MB", values: { granary: found.memory } },
      checks: [atMost(found.memory, MOST_MEMORY_MB, "MB")],
    },
  ];
}

function msRow(name: string, ms: number, most: number): Row {
  return { name, unit: "ms", contenders: ALONE, values: { granary: ms }, checks: [atMost(ms, most, "ms")] };
}
