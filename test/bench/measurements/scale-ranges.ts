/**
 * A blob that says to have 200 GB (less where the disk could not hold them: its room is reserved), of which scattered ranges are asked for, as
 * of an image that is mounted before it is there: what is fetched for them, how long each waits for its first byte, and what the map of it
 * costs. With ten times as many ranges, each must cost the same.
 */
import { createHash } from "node:crypto";
import { readdirSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../simulation/seeded-random.ts";
import { type Bench, type Measurement, withContender } from "../bench.ts";
import type { Content } from "../material.ts";
import { ALONE, atMost, type Check, type Row } from "../row.ts";
import { madeUp } from "../support/made-up.ts";
import { settledBytes } from "../support/settled-bytes.ts";
import type { CountingUpstream } from "../support/upstream.ts";
import { blockRow, watchedGranary, whileWatched } from "../support/watched.ts";

const LARGEST = 200e9;
/** Of the disk, for what else lies on it. */
const LEFT = 4e9;
/** Bytes of one range, from and to. */
const RANGE = [4 * 1024, 256 * 1024] as const;
type Crowd = { readonly ranges: number; readonly atOnce: number };
const CROWDS: readonly Crowd[] = [
  { ranges: 100, atOnce: 16 },
  { ranges: 1_000, atOnce: 16 },
  { ranges: 10_000, atOnce: 16 },
  { ranges: 1_000, atOnce: 1_000 },
];
const MOST_FIRST_BYTE_MS = 250;
const MOST_MB = 250;

export const scaleRanges: Measurement = {
  name: "scale-ranges",
  measure: async (bench) => {
    const digest = `sha256:${createHash("sha256").update("200 GB").digest("hex")}`;
    const blob = madeUp(bench.material.small, sizeFor(bench.directory), digest);
    const upstream = await bench.startUpstreamOf([blob]);
    const rows: Row[] = [];
    try {
      for (const crowd of CROWDS) {
        const found = await ask(bench, upstream, blob, crowd);
        bench.note(`scale-ranges: ${JSON.stringify({ ...crowd, ...found })}`);
        rows.push(...rowsOf(blob, crowd, found));
      }
      return rows;
    } finally {
      await upstream.stop();
    }
  },
};

async function ask(bench: Bench, upstream: CountingUpstream, blob: Content, { ranges, atOnce }: Crowd) {
  const paths = join(bench.directory, `ranges-${ranges}`);
  const asked = writeRanges(paths, blob, ranges);
  await upstream.reset();
  return await withContender(bench, watchedGranary(bench), upstream, async (started) => {
    const load = {
      port: started.port,
      path: "/",
      paths,
      shared: true,
      connections: atOnce,
      timeoutSeconds: 80,
    };
    const { result, ...felt } = await whileWatched(bench, started, () => bench.runLoad(load));
    const fetched = (await settledBytes(upstream, blob.path)) / asked;
    // The map is written when the process stops, at the latest.
    await started.stop();
    const each = (result.seconds * 1_000) / ranges;
    const { firstByteMs, firstByteP99Ms, firstByteWorstMs } = result;
    return {
      ...felt,
      each,
      fetched,
      firstByteMs,
      firstByteP99Ms,
      firstByteWorstMs,
      map: mapOf(started.place.directory),
    };
  });
}

function sizeFor(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return Math.min(LARGEST, Math.floor(bavail * bsize - LEFT));
}

/** Bytes that are asked for. */
function writeRanges(file: string, { path, size }: Content, count: number): number {
  const random = seededRandom(count);
  let bytes = 0;
  const lines = Array.from({ length: count }, () => {
    const length = Math.floor(RANGE[0] + random() * (RANGE[1] - RANGE[0]));
    const start = Math.floor(random() * (size - length));
    bytes += length;
    return `${path} ${start}-${start + length - 1}`;
  });
  writeFileSync(file, `${lines.join("\n")}\n`);
  return bytes;
}

/** Bytes of the largest map that was written. */
function mapOf(directory: string): number {
  const folder = join(directory, "data/partial/sha256");
  const maps = readdirSync(folder).filter((name) => name.endsWith(".map"));
  return Math.max(0, ...maps.map((name) => statSync(join(folder, name)).size));
}

function rowsOf({ size }: Content, { ranges, atOnce }: Crowd, found: Awaited<ReturnType<typeof ask>>): Row[] {
  const title = `${ranges.toLocaleString("en")} scattered ranges of ${Math.round(size / 1e9)} GB, ${atOnce.toLocaleString("en")} at once`;
  const row = (name: string, unit: Row["unit"], value: number, check?: Check): Row => {
    const checks = check === undefined ? [] : [check];
    return { name: `${title}: ${name}`, unit, contenders: ALONE, values: { granary: value }, checks };
  };
  return [
    row("fetched / asked", "x", found.fetched),
    row("time for each", "ms", found.each),
    row(
      "first byte, one in a hundred takes longer",
      "ms",
      found.firstByteP99Ms,
      atMost(found.firstByteP99Ms, MOST_FIRST_BYTE_MS, "ms"),
    ),
    blockRow(title, found),
    row("peak memory", "MB", found.memory, atMost(found.memory, MOST_MB, "MB")),
    row("its map", "MB", found.map / 1e6),
  ];
}
