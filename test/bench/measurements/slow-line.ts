/**
 * A cold blob over slow lines, for crowds of 1 to 200 readers, whole, in parts and mixed: how much of the line they get
 * together, beside one plain reader that uses as many connections as are of use, and how often the blob crossed the line.
 */
import { type LineSettings, SlowLine } from "../../support/slow-line.ts";
import { type Bench, type Measurement, withContender } from "../bench.ts";
import { granary } from "../peers/granary.ts";
import { takeTurns, type Values } from "../rounds.ts";
import { atLeastTimes, atMost, type Check, LINE_USERS, type Row } from "../row.ts";
import type { Load } from "../support/load.ts";
import { readPlainly } from "../support/plain-reader.ts";

type Line = {
  readonly name: string;
  readonly settings: Partial<LineSettings>;
  /** More than these bring nothing, or are not to be had: our lanes, or the line's limit. */
  readonly connections: number;
};
/** What a plain reader found. */
type Given = {
  /** MB/s. */
  readonly speed: number;
  /** Bytes of one answer's headers, which cross the line as well. */
  readonly headers: number;
};
type Crowd = { readonly name: string; readonly load: (size: number) => Partial<Load> };

const RATE = 4e6;
const LANES = 6;
const LINES: readonly Line[] = [
  { name: "4 MB/s, 40 ms", settings: { rate: RATE, delayMs: 40 }, connections: LANES },
  { name: "700 kB/s per connection", settings: { ratePerConnection: 700e3 }, connections: LANES },
  {
    name: "4 MB/s, 2 connections",
    settings: { rate: RATE, delayMs: 20, limit: { connections: 2, beyond: "refuse" } },
    connections: 2,
  },
  {
    name: "4 MB/s, 20 ms, cut after about 1 MB",
    settings: { rate: RATE, delayMs: 20, cut: { after: [700_000, 1_300_000] } },
    connections: LANES,
  },
];
const SIZES = [1, 8, 40, 200];
const CROWDS: readonly Crowd[] = [
  { name: "whole", load: () => ({}) },
  { name: "parts", load: (size) => ({ partsOf: size }) },
  { name: "mixed", load: (size) => ({ partsOf: size, mixed: true }) },
];
const LEAST = 0.9;
/** A connection that is given up may cost a few bytes; a second transfer may not. */
const ONCE = 1.005;

export const slowLine: Measurement = {
  name: "slow-line",
  measure: async (bench) => {
    const rows: Row[] = [];
    for (const line of LINES) {
      const given = await readPlain(bench, line);
      for (const count of SIZES) {
        for (const crowd of count === 1 ? CROWDS.slice(0, 1) : CROWDS) {
          rows.push(await rowOf(bench, line, crowd, count, given));
        }
      }
    }
    return rows;
  },
};

async function readPlain(bench: Bench, { name, settings, connections }: Line): Promise<Given> {
  return onLine(bench, settings, async (port, line) => {
    const { path, size } = bench.material.small;
    const seconds = await readPlainly(`http://127.0.0.1:${port}${path}`, size, connections);
    const { gets } = await bench.upstream.counts(path);
    const given = { speed: size / seconds / 1e6, headers: (line.account.carried - size) / gets };
    bench.note(`${name}: a plain reader on ${connections} connections: ${JSON.stringify(given)}`);
    return given;
  });
}

async function rowOf(bench: Bench, line: Line, crowd: Crowd, count: number, given: Given): Promise<Row> {
  const label = `${line.name}: ${count} ${count === 1 ? "reader" : crowd.name}`;
  const entrants = [{ name: "granary" as const }];
  const result = await takeTurns(
    bench,
    label,
    entrants,
    () => measureCrowd(bench, line, crowd, count, given),
    1,
  );
  // Readers that failed got nothing of the line.
  const values: Values = { granary: 0, ...result.speed, line: given.speed };
  const checks: Check[] = [atLeastTimes(values, "line", LEAST, "the line")];
  if (line.settings.cut === undefined)
    checks.push({ ...atMost(result.crossings?.granary, ONCE, "x"), wanted: "1.00x crossed" });
  return { name: label, unit: "MB/s", contenders: LINE_USERS, values, checks };
}

/** Until the last reader has all of its bytes; what counts is the blob's size, however many read it. */
function measureCrowd(bench: Bench, { settings }: Line, crowd: Crowd, connections: number, given: Given) {
  const { path, size } = bench.material.small;
  return onLine(bench, settings, (linePort, line) =>
    withContender(
      bench,
      granary(bench.granaryLauncher),
      { url: `http://127.0.0.1:${linePort}` },
      async ({ port }) => {
        const load = { port, path, connections, requests: 1, ...crowd.load(size) };
        const { seconds, firstByteWorstMs } = await bench.runLoad(load);
        const { gets } = await bench.upstream.counts(path);
        const crossings = (line.account.carried - gets * given.headers) / size;
        return { speed: size / seconds / 1e6, crossings, seconds, firstByteWorstMs };
      },
    ),
  );
}

async function onLine<T>(
  bench: Bench,
  settings: Partial<LineSettings>,
  use: (port: number, line: SlowLine) => Promise<T>,
): Promise<T> {
  const line = new SlowLine(settings);
  await bench.upstream.reset();
  try {
    const { port } = await line.front({ host: "127.0.0.1", port: bench.upstream.port });
    return await use(port, line);
  } finally {
    await line.close();
  }
}
