/**
 * `npm run bench`: Granary and its peers side by side, in one run, on this machine. Composition only: makes the
 * material, starts the counting upstream, runs the measurements in order and prints one table. Progress goes to
 * standard error. Exit code 1 when something that was measured fell short or could not be measured, 0 otherwise.
 *
 *   --quick          smaller blobs and one short round: to see that it runs, not to quote
 *   --only NAME      just this measurement, or those that begin with NAME-; may be given more than once
 *   --against NAME   beside Granary only this peer; may be given more than once
 *   --json           rows as JSON in place of the table
 *   --copy           clients copy every byte (a busy core of their own) in place of letting the kernel drop it
 *   --directory DIR  where the stores lie (default: the system's temporary directory)
 */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Bench, Measurement } from "./bench.ts";
import { makeMaterial } from "./material.ts";
import { cappedUpstream } from "./measurements/capped-upstream.ts";
import { coldBlob } from "./measurements/cold-blob.ts";
import { coldHead } from "./measurements/cold-head.ts";
import { coldRange } from "./measurements/cold-range.ts";
import { coldTls } from "./measurements/cold-tls.ts";
import { extractImage } from "./measurements/extract-image.ts";
import { fleetBlob } from "./measurements/fleet-blob.ts";
import { fleetHeartbeats } from "./measurements/fleet-heartbeats.ts";
import { fleetLoss } from "./measurements/fleet-loss.ts";
import { interceptedBlob } from "./measurements/intercepted-blob.ts";
import { pageOpen } from "./measurements/page-open.ts";
import { peakMemoryOfStreams } from "./measurements/peak-memory.ts";
import { scaleBlob } from "./measurements/scale-blob.ts";
import { scaleClients } from "./measurements/scale-clients.ts";
import { scaleCrowd } from "./measurements/scale-crowd.ts";
import { scaleIndex } from "./measurements/scale-index.ts";
import { scaleRanges } from "./measurements/scale-ranges.ts";
import { slowLine } from "./measurements/slow-line.ts";
import { slowReaders } from "./measurements/slow-readers.ts";
import { smallAnswers } from "./measurements/small-answers.ts";
import { smallMachine } from "./measurements/small-machine.ts";
import { snapshot } from "./measurements/snapshot.ts";
import { space } from "./measurements/space.ts";
import { startUp } from "./measurements/start-up.ts";
import { warmBlob } from "./measurements/warm-blob.ts";
import type { Row } from "./row.ts";
import { buildGranary } from "./support/build-granary.ts";
import { compile } from "./support/compile.ts";
import { loadGenerator } from "./support/load.ts";
import { startUpstream } from "./support/upstream.ts";
import { formatTables } from "./table.ts";

const MEASUREMENTS: readonly Measurement[] = [
  warmBlob,
  interceptedBlob,
  smallAnswers,
  coldBlob,
  coldTls,
  coldRange,
  coldHead,
  cappedUpstream,
  peakMemoryOfStreams,
  smallMachine,
  extractImage,
  slowLine,
  slowReaders,
  space,
  snapshot,
  pageOpen,
  fleetBlob,
  fleetLoss,
  fleetHeartbeats,
  startUp,
  scaleIndex,
  scaleRanges,
  scaleCrowd,
  scaleClients,
  scaleBlob,
];
const MIB = 2 ** 20;
const SIZES = { big: 1024 * MIB, middle: 256 * MIB, small: 24 * MIB };
const QUICK_SIZES = { big: 256 * MIB, middle: 64 * MIB, small: 12 * MIB };

type Options = {
  quick: boolean;
  json: boolean;
  copy: boolean;
  only: string[];
  against: string[];
  directory: string;
};

const options = parseOptions();
const directory = mkdtempSync(join(options.directory, "granary-bench-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

const { rows, hasFailed } = await run();
const fellShort = hasFailed || rows.some((row) => row.checks.some((check) => check.reached === false));
process.stdout.write(
  options.json ? `${JSON.stringify(rows, undefined, 2)}\n` : `${heading()}\n${formatTables(rows)}\n`,
);
process.exit(fellShort ? 1 : 0);

function parseOptions(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      copy: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      against: { type: "string", multiple: true, default: [] },
      directory: { type: "string", default: tmpdir() },
    },
  });
  const unknown = values.only.filter(
    (name) => !MEASUREMENTS.some((measurement) => isMeant(measurement.name, name)),
  );
  if (unknown.length > 0) {
    const names = MEASUREMENTS.map((measurement) => measurement.name).join(", ");
    process.stderr.write(`There is no measurement ${unknown.join(", ")}; there are ${names}.\n`);
    process.exit(2);
  }
  return values;
}

async function run(): Promise<{ readonly rows: Row[]; readonly hasFailed: boolean }> {
  const startedAt = Date.now();
  const note = (message: string) =>
    void process.stderr.write(`[${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s] ${message}\n`);
  note(`building, and making the material in ${directory}`);
  const [load, upstreamProgram, granaryLauncher] = await Promise.all([
    compile("load", directory),
    compile("upstream", directory),
    buildGranary(directory),
  ]);
  const material = makeMaterial(join(directory, "material"), options.quick ? QUICK_SIZES : SIZES);
  const upstream = await startUpstream(upstreamProgram, material, directory);
  const bench: Bench = {
    directory,
    material,
    upstream,
    startCappedUpstream: (bytesPerSecond) =>
      startUpstream(upstreamProgram, material, directory, bytesPerSecond),
    startUpstreamOf: (entries, bytesPerSecond) =>
      startUpstream(upstreamProgram, { entries }, directory, bytesPerSecond),
    granaryLauncher,
    against: options.against,
    runLoad: loadGenerator(load, options.copy),
    runSeconds: options.quick ? 0.5 : 1.5,
    rounds: options.quick ? 1 : 5,
    note,
  };
  const rows: Row[] = [];
  let hasFailed = false;
  for (const { name, measure } of MEASUREMENTS) {
    if (options.only.length > 0 && !options.only.some((only) => isMeant(name, only))) continue;
    try {
      rows.push(...(await measure(bench)));
    } catch (error) {
      // The others took long, and are of use without it.
      hasFailed = true;
      note(`${name} FAILED: ${error instanceof Error ? error.stack : error}`);
    }
  }
  await upstream.stop();
  note("done");
  return { rows, hasFailed };
}

/** "scale" means "scale-index" and all others of that beginning as well. */
function isMeant(name: string, only: string): boolean {
  return name === only || name.startsWith(`${only}-`);
}

function heading(): string {
  const processor = cpus()[0]?.model ?? "unknown processor";
  return `${cpus().length} cores (${processor}), loopback, everything on one machine; Node ${process.version}\n`;
}
