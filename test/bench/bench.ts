/** Owns what every measurement is given, and the one way to run a contender: fresh directory, start, stop, remove. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Content, Material } from "./material.ts";
import type { Contender, Place, Running } from "./peers/contender.ts";
import type { Row } from "./row.ts";
import type { RunLoad } from "./support/load.ts";
import type { CountingUpstream, UpstreamAddress } from "./support/upstream.ts";

export type Bench = {
  /** Removed at the end of the run. */
  readonly directory: string;
  readonly material: Material;
  readonly upstream: CountingUpstream;
  /** Starts a second upstream over the same material that caps each connection. The caller stops it. */
  readonly startCappedUpstream: (bytesPerSecond: number) => Promise<CountingUpstream>;
  /** Starts an upstream over other contents, with a cap on each connection (bytes a second) or without. The caller stops it. */
  readonly startUpstreamOf: (
    entries: readonly Content[],
    bytesPerSecond?: number,
  ) => Promise<CountingUpstream>;
  readonly runLoad: RunLoad;
  /** The built granary.js. */
  readonly granaryLauncher: string;
  /** Only these peers take part beside Granary; all of them when it is empty. */
  readonly against: readonly string[];
  /** Length of one timed run, seconds. */
  readonly runSeconds: number;
  /** The median of this many runs counts. */
  readonly rounds: number;
  /** Progress and notices, for people. */
  readonly note: (message: string) => void;
};

export type Measurement = {
  readonly name: string;
  readonly measure: (bench: Bench) => Promise<Row[]>;
};

export type Started = Running & { readonly place: Place };

let placeNumber = 0;

/** Starts the contender in an empty directory, or in `directory` with what an earlier start left there. */
export async function startContender(
  bench: Bench,
  contender: Contender,
  upstream: UpstreamAddress = bench.upstream,
  directory: string = join(bench.directory, `${++placeNumber}-${contender.name}`),
): Promise<Started> {
  mkdirSync(directory, { recursive: true });
  const place = { directory, material: bench.material, upstream, enter: undefined };
  return { ...(await contender.start(place)), place };
}

/** Runs `use` against a contender started in an empty directory, and removes all of it afterwards. */
export async function withContender<T>(
  bench: Bench,
  contender: Contender,
  upstream: UpstreamAddress,
  use: (started: Started) => Promise<T>,
): Promise<T> {
  const started = await startContender(bench, contender, upstream);
  try {
    return await use(started);
  } finally {
    await dispose(started);
  }
}

/** Stops the contender and removes its directory. */
export async function dispose(started: Started): Promise<void> {
  await started.stop();
  rmSync(started.place.directory, { recursive: true, force: true });
}
