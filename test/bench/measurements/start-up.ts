/** What somebody waits for: help, a small verb, and a server over a store of 100,000 blobs until it answers. As built and installed, in a process each. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Bench, type Measurement, startContender, withContender } from "../bench.ts";
import { makeLargeStore } from "../large-store.ts";
import { granary } from "../peers/granary.ts";
import { takeTurns } from "../rounds.ts";
import { ALONE, atMost, type Row } from "../row.ts";
import { runCommand } from "../support/children.ts";

const BLOBS = 100_000;
const TAGS = 10_000;
const GRANARY = [{ name: "granary" }] as const;

export const startUp: Measurement = {
  name: "start-up",
  measure: async (bench) => [
    await rowOf(bench, "`granary --help`", 150, () => timeVerb(bench, ["--help"])),
    await withContender(bench, granary(bench.granaryLauncher), bench.upstream, ({ port }) =>
      rowOf(bench, "`granary health`", 150, () =>
        timeVerb(bench, ["health", "--url", `http://127.0.0.1:${port}`]),
      ),
    ),
    await serveRow(bench),
  ],
};

async function rowOf(bench: Bench, name: string, most: number, time: () => Promise<number>): Promise<Row> {
  await time(); // What Node compiles is kept from the first time on.
  const { ms = {} } = await takeTurns(bench, name, GRANARY, async () => ({ ms: await time() }));
  const checks = [atMost(ms.granary, most, "ms")];
  return { name, unit: "ms", contenders: ALONE, values: ms, checks };
}

/** From the start of the process to its end, ms. */
async function timeVerb({ granaryLauncher }: Bench, args: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  await runCommand(process.execPath, [granaryLauncher, ...args]);
  return performance.now() - startedAt;
}

async function serveRow(bench: Bench): Promise<Row> {
  const directory = join(bench.directory, "start-up");
  const store = join(directory, "data");
  mkdirSync(store, { recursive: true });
  await makeLargeStore(store, BLOBS, BLOBS, TAGS);
  const name = `\`granary serve\` over ${BLOBS.toLocaleString("en")} blobs, until it answers`;
  return rowOf(bench, name, 400, () => timeServe(bench, directory));
}

async function timeServe(bench: Bench, directory: string): Promise<number> {
  const startedAt = performance.now();
  const { stop } = await startContender(bench, granary(bench.granaryLauncher), bench.upstream, directory);
  const ms = performance.now() - startedAt;
  await stop();
  return ms;
}
