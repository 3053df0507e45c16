/**
 * What a store of a million blobs costs: to start, for the bookkeeping of a cold request, for a look at the status, and to make room by
 * evicting ten thousand. In this process, over the store of large-store.ts (rows and partials real, most files a double).
 */
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "../../../src/metadata/database.ts";
import type { Mirror } from "../../../src/mirror/mirror.ts";
import { Damage } from "../../../src/mirror/space/damage.ts";
import { Ownership } from "../../../src/mirror/space/ours-alone.ts";
import { Pins } from "../../../src/mirror/space/pins.ts";
import { Space } from "../../../src/mirror/space/space.ts";
import { Uses } from "../../../src/mirror/space/uses.ts";
import { startMirror } from "../../../src/mirror/start-mirror.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { Episodes } from "../../../src/observe/episodes.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import type { Trouble } from "../../../src/observe/troubles.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { openRecords } from "../../../src/records/records.ts";
import { openSpool } from "../../../src/store/spool.ts";
import { makeFolders } from "../../../src/store/storage-folders.ts";
import type { Bench, Measurement } from "../bench.ts";
import { type LargeStore, makeLargeStore } from "../large-store.ts";
import { ALONE, atMost, type Row } from "../row.ts";

const EVICTED = 10_000;
const ASKS = 1_000;

export const space: Measurement = {
  name: "space",
  measure: async (bench) => {
    const blobs = bench.rounds === 1 ? 100_000 : 1_000_000;
    const directory = join(bench.directory, "space");
    mkdirSync(directory);
    bench.note(`making a store of ${blobs.toLocaleString("en")} blobs`);
    const store = await makeLargeStore(directory, blobs, EVICTED);
    const start = await timeStart(bench, store, "after a stop", async (mirror) => {
      const status = await median(20, () => mirror.status());
      bench.note(`status: ${status} ms`);
      return status;
    });
    const killed = await timeStart(bench, afterKill(store), "after kill -9", async () => 0);
    const asks = await timeSpace(store);
    bench.note(`space: ${JSON.stringify(asks)}`);
    rmSync(directory, { recursive: true });
    const many = blobs.toLocaleString("en");
    return [
      rowOf(`${many} blobs: start`, start.ms, 1_000),
      rowOf(`${many} blobs: start after kill -9`, killed.ms),
      rowOf(`${many} blobs: status`, start.found, 1),
      rowOf(`${many} blobs: bookkeeping of a cold request`, asks.ask, 1),
      rowOf(`${many} blobs: the same, 100 at once`, asks.together),
      rowOf(`${many} blobs: eviction of ${EVICTED.toLocaleString("en")}`, asks.eviction, 1_000),
    ];
  },
};

function rowOf(name: string, ms: number, most?: number): Row {
  const checks = most === undefined ? [] : [atMost(ms, most, "ms")];
  return { name, unit: "ms", contenders: ALONE, values: { granary: ms }, checks };
}

/** From the opening of the database until the Mirror serves. */
async function timeStart(
  bench: Bench,
  { layout, openBlobs }: LargeStore,
  when: string,
  use: (mirror: Mirror) => Promise<number>,
): Promise<{ readonly ms: number; readonly found: number }> {
  const startedAt = performance.now();
  const { metadata, contents, rules, sightings, bound } = openDatabase(layout.database);
  const mirror = await startMirror({
    clients: [],
    metadata,
    contents,
    rules,
    sightings,
    bound,
    blobs: openBlobs(),
    spool: openSpool(layout),
    makeFolders: () => makeFolders(layout),
    budget: { maxSize: 2 ** 50, minFree: 0 },
    clock: systemClock,
    log: silentLog,
    metrics: createMetrics(),
    random: Math.random,
    records: openRecords({ clock: systemClock }),
  });
  const ms = performance.now() - startedAt;
  bench.note(`start ${when}: ${ms.toFixed(0)} ms`);
  const found = await use(mirror);
  await mirror.close(10_000);
  return { ms, found };
}

/** The files as they lie there when a process is killed: the log of the database was not written into it. */
function afterKill(store: LargeStore): LargeStore {
  const { layout } = store;
  const metadata = openDatabase(layout.database).metadata;
  void metadata.recordVerified(digestOf(new Uint8Array(), "sha256"), 1);
  void metadata.touch(new Map());
  const copy = join(layout.directory, "killed.db");
  for (const end of ["", "-wal"]) cpSync(`${layout.database}${end}`, `${copy}${end}`);
  void metadata.close();
  return { ...store, layout: { ...layout, database: copy } };
}

async function timeSpace({ layout, openBlobs, blobs, blobSize }: LargeStore) {
  const metadata = openDatabase(layout.database).metadata;
  const [clock, log, metrics] = [systemClock, silentLog, createMetrics()];
  const troubles = new Episodes<Trouble>(log, clock, Number.POSITIVE_INFINITY);
  const spool = openSpool(layout);
  const budget = { maxSize: (blobs + 1_000) * blobSize + (await metadata.size()) + 2 ** 30, minFree: 0 };
  const measured = new Space({
    ...{ metadata, blobs: openBlobs(), spool, pins: new Pins(metrics), uses: new Uses(metadata, clock, log) },
    ...{ damage: new Damage({ log, metrics, troubles }), ownership: new Ownership(), budget },
    isKept: async () => false,
    ...{ clock, log, metrics, troubles },
  });
  measured.countPartials(await spool.list(), measured.revision);
  let asked = 0;
  const ask = async (size = 1_000) => {
    const key = { digest: digestOf(Buffer.from(`cold ${asked++}`)), upstream: "docker.io" };
    return await measured.reserve(key, size);
  };
  const one = await median(ASKS, async () => (await ask())?.release());
  const startedAt = performance.now();
  const all = await Promise.all(Array.from({ length: 100 }, () => ask()));
  const together = (performance.now() - startedAt) / all.length;
  for (const reservation of all) reservation?.release();
  const { used } = await measured.use();
  const evictedAt = performance.now();
  const room = await ask(budget.maxSize - used + EVICTED * blobSize);
  const eviction = performance.now() - evictedAt;
  if (room === undefined) throw new Error("There was no room, though all blobs could go.");
  const evicted = (await metrics.evictions.get()).values.reduce((sum, { value }) => sum + value, 0);
  if (evicted !== EVICTED) throw new Error(`${evicted} were evicted in place of ${EVICTED}.`);
  await metadata.close();
  return { ask: one, together, eviction };
}

/** Milliseconds. */
async function median(times: number, work: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let time = 0; time < times; time++) {
    const startedAt = performance.now();
    await work();
    took.push(performance.now() - startedAt);
  }
  return took.sort((a, b) => a - b)[Math.floor(times / 2)] ?? 0;
}
