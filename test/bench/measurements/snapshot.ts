/**
 * What a snapshot costs that the admin face sends each second: with 10,000 repositories that were pulled from and 200 fills, each drawn from
 * a thousand scattered runs, and 500 clients. In this process, over a database with a row for each of 100,000 blobs; a fill is what is told of one.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { RangeSet } from "../../../src/bytes/range-set.ts";
import { drawnMap } from "../../../src/fill/drawn-runs.ts";
import { statusOf } from "../../../src/http/admin/routes/status-routes.ts";
import { openDatabase } from "../../../src/metadata/database.ts";
import type { MirrorStatus } from "../../../src/mirror/mirror.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { openRecords, type Records } from "../../../src/records/records.ts";
import type { Measurement } from "../bench.ts";
import { makeLargeStore } from "../large-store.ts";
import { ALONE, atMost } from "../row.ts";

const REPOSITORIES = 10_000;
const FILLS = 200;
const RUNS = 1_000;
const CLIENTS = 500;
const BLOBS = 100_000;
const MOST_MS = 20;
const TIMES = 50;

export const snapshot: Measurement = {
  name: "snapshot",
  measure: async (bench) => {
    const directory = join(bench.directory, "snapshot");
    mkdirSync(directory);
    const { layout } = await makeLargeStore(directory, BLOBS, 1);
    const { metadata, records: rows } = openDatabase(layout.database);
    const records = openRecords({ clock: systemClock, rows });
    pullFromAll(records);
    for (let client = 0; client < CLIENTS; client++)
      records.clients.asks(`2001:db8::${client}`, "docker/28.0.1");
    const maps = Array.from({ length: FILLS }, (_, index) => scattered(index));
    const status = async (): Promise<MirrorStatus> => {
      const { blobs, manifests } = await metadata.sums();
      return { ...EMPTY, fills: maps.map(fillOf), blobs, manifests };
    };
    const took: number[] = [];
    let bytes = 0;
    for (let time = 0; time < TIMES; time++) {
      // The numbers of a second in which all of them are pulled from.
      pullFromAll(records);
      const startedAt = performance.now();
      bytes = JSON.stringify(
        await statusOf({ mirror: { status }, records, clock: systemClock, startedAt: 0 }),
      ).length;
      took.push(performance.now() - startedAt);
    }
    records.close();
    await metadata.close();
    rmSync(directory, { recursive: true });
    const ms = took.sort((a, b) => a - b)[Math.floor(TIMES / 2)] ?? 0;
    bench.note(`snapshot: ${ms.toFixed(1)} ms (most ${took.at(-1)?.toFixed(1)} ms), ${bytes} bytes`);
    const name = `snapshot with ${REPOSITORIES.toLocaleString("en")} repositories and ${FILLS} fills`;
    return [
      { name, unit: "ms", contenders: ALONE, values: { granary: ms }, checks: [atMost(ms, MOST_MS, "ms")] },
    ];
  },
};

const EMPTY = {
  pins: FILLS,
  upstreams: [],
  disk: { used: 1, budget: 2, free: 3 },
  troubles: [],
};

function pullFromAll({ traffic }: Records): void {
  for (let index = 0; index < REPOSITORIES; index++)
    traffic.fetched("docker.io", `library/image-${index}`, 1_000);
}

const SIZE = 2 ** 32;

function scattered(seed: number): RangeSet {
  const present = new RangeSet();
  const step = SIZE / RUNS;
  for (let run = 0; run < RUNS; run++)
    present.add({ start: run * step, end: run * step + step / (2 + (seed % 3)) });
  return present;
}

function fillOf(present: RangeSet, index: number): MirrorStatus["fills"][number] {
  const places = Array.from({ length: 16 }, (_, lane) => lane * 2 ** 28);
  const asked = {
    repository: `library/image-${index}`,
    tag: "latest",
    client: "192.0.2.1",
    pull: String(index),
  };
  return {
    digest: digestOf(Buffer.from(`fill ${index}`)),
    upstream: "docker.io",
    state: "filling",
    size: SIZE,
    present: present.total,
    lanes: places.length,
    readers: places.length,
    waits: 1,
    purpose: "waited",
    begunAt: 0,
    bytesPerSecond: 1e6,
    heldForMs: undefined,
    serves: places.map(() => ({ ...asked, purpose: "waited", since: 0, readers: 1, waiting: 1 })),
    ...drawnMap(present.snapshot(), SIZE),
    lanesAt: places,
    readersAt: places,
  };
}
