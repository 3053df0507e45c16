/**
 * What grows with the index: the same questions over stores of a thousand to a million blobs, with a tenth as many tags. In this process, over the
 * store of large-store.ts (rows and partials real, files real for the coldest). What a request waits for may grow no faster than the logarithm.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Database, openDatabase } from "../../../src/metadata/database.ts";
import type { StartedMirror } from "../../../src/mirror/mirror-parts.ts";
import { startMirror } from "../../../src/mirror/start-mirror.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMetrics, type Metrics } from "../../../src/observe/metrics.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { openRecords } from "../../../src/records/records.ts";
import { openSpool } from "../../../src/store/spool.ts";
import { makeFolders } from "../../../src/store/storage-folders.ts";
import { createUpstreamClient } from "../../../src/upstream/client.ts";
import { upstreamOf } from "../../support/upstream-of.ts";
import type { Bench, Measurement } from "../bench.ts";
import { UPSTREAM } from "../large-names.ts";
import { type LargeStore, makeLargeStore } from "../large-store.ts";
import { atMost, type Check, type Row, STORE_SIZES } from "../row.ts";

type Size = (typeof STORE_SIZES)[number];
const BLOBS: Record<Size, number> = {
  thousand: 1_000,
  tenThousand: 10_000,
  hundredThousand: 100_000,
  million: 1_000_000,
};
const EVICTED = 10_000;
const TIMES = 500;
/** The logarithm of a million is twice that of a thousand; the rest is for caches that a larger store does not fit into. */
const MOST_GROWTH = 4;

/** What is asked, in order, and what of it a request waits for. All in ms. */
const QUESTIONS = {
  start: { name: "start", most: 1_000 },
  tag: { name: "hit: manifest by tag", growth: MOST_GROWTH },
  blob: { name: "hit: blob", growth: MOST_GROWTH },
  cold: { name: "bookkeeping of a cold blob", growth: MOST_GROWTH },
  record: { name: "a manifest that came is written down", growth: MOST_GROWTH },
  metrics: { name: "/metrics", growth: MOST_GROWTH },
  status: { name: "status", growth: MOST_GROWTH },
  list: { name: "`ls`, first page", most: 2_000 },
  page: { name: "`ls`, next page", most: 500 },
  listBlock: { name: "`ls`: longest block of the event loop", most: 20 },
  dryRun: { name: "dry run of an eviction of 1,000", growth: MOST_GROWTH },
  eviction: { name: "eviction of 1,000", growth: MOST_GROWTH },
  full: { name: "a manifest that came, where the database is as large as it may be", growth: MOST_GROWTH },
} as const satisfies Record<
  string,
  { readonly name: string; readonly most?: number; readonly growth?: number }
>;
type Question = keyof typeof QUESTIONS;
type Took = Record<Question, number>;

export const scaleIndex: Measurement = {
  name: "scale-index",
  measure: async (bench) => {
    const sizes = STORE_SIZES.filter((size) => bench.rounds > 1 || BLOBS[size] < 1_000_000);
    const found: Partial<Record<Size, Took>> = {};
    for (const size of sizes) {
      found[size] = await askAll(bench, BLOBS[size]);
      bench.note(`scale-index, ${BLOBS[size].toLocaleString("en")} blobs: ${JSON.stringify(found[size])}`);
    }
    return (Object.keys(QUESTIONS) as Question[]).map((question) => rowOf(question, found));
  },
};

function rowOf(question: Question, found: Partial<Record<Size, Took>>): Row {
  const { name, most, growth }: { name: string; most?: number; growth?: number } = QUESTIONS[question];
  const values: Row["values"] = {};
  for (const size of STORE_SIZES) {
    const value = found[size]?.[question];
    if (value !== undefined) values[size] = value;
  }
  const [first, last] = [values.thousand, values.million ?? values.hundredThousand];
  const grown = first === undefined || last === undefined ? undefined : last / first;
  const checks: Check[] = [];
  if (growth !== undefined) checks.push({ ...atMost(grown, growth, "x"), wanted: `grows <= ${growth}x` });
  if (most !== undefined) checks.push(atMost(last, most, "ms"));
  return { name, unit: "ms", contenders: STORE_SIZES, values, checks };
}

async function askAll(bench: Bench, blobs: number): Promise<Took> {
  const directory = join(bench.directory, `index-${blobs}`);
  mkdirSync(directory);
  const store = await makeLargeStore(directory, blobs, Math.min(EVICTED, blobs / 2), blobs / 10);
  const startedAt = performance.now();
  const world = await start(store);
  const took = { start: performance.now() - startedAt, ...(await ask(world, store)) };
  await world.mirror.close(10_000);
  const full = await whenFull(store);
  rmSync(directory, { recursive: true });
  return { ...took, full };
}

type World = { readonly database: Database; readonly mirror: StartedMirror; readonly metrics: Metrics };

/** Nobody answers at its upstream, and nobody has to: all tags are fresh. */
async function start({ layout, openBlobs }: LargeStore): Promise<World> {
  const database = openDatabase(layout.database);
  const { metadata, contents, rules, sightings, bound } = database;
  const metrics = createMetrics();
  const nowhere = { url: "http://127.0.0.1:9", authUrl: "http://127.0.0.1:9" };
  const upstream = upstreamOf(nowhere, { name: UPSTREAM });
  const mirror = await startMirror({
    clients: [createUpstreamClient({ upstream, metrics, env: {} })],
    ...{ metadata, contents, rules, sightings, bound, metrics },
    blobs: openBlobs(),
    spool: openSpool(layout),
    makeFolders: () => makeFolders(layout),
    budget: { maxSize: 2 ** 50, minFree: 0 },
    clock: systemClock,
    log: silentLog,
    random: Math.random,
    records: openRecords({ clock: systemClock }),
  });
  return { database, mirror, metrics };
}

type Asked = Omit<Took, "start" | "full">;

async function ask(
  { mirror, metrics, database }: World,
  { names, blobs, blobSize }: LargeStore,
): Promise<Asked> {
  const asker = { loggedIn: false, userAgent: undefined };
  const scattered = (index: number) => (index * 7_919) % names.tags;
  const repository = (index: number) => names.nameOf(scattered(index)).repository;
  const manifest = (index: number) => {
    const { repository, tag } = names.nameOf(scattered(index));
    const target = { kind: "manifest", upstream: UPSTREAM, repository, reference: { tag } } as const;
    return mirror.manifest(target, { ...asker, accept: [] });
  };
  // Only the coldest have files; they are listed by the first tags.
  const withFiles = Math.min(names.tags / 2, EVICTED / 10);
  const stored = async (index: number) => {
    const tag = (index * 7) % withFiles;
    const [digest] = names.blobsOf(tag);
    if (digest === undefined) return;
    const target = {
      kind: "blob",
      upstream: UPSTREAM,
      repository: names.nameOf(tag).repository,
      digest,
    } as const;
    (await mirror.blob(target, asker)).blob.release();
  };
  const unknown = (index: number) => digestOf(Buffer.from(`cold ${index}`));
  const cold = async (index: number) => {
    const target = {
      kind: "blob",
      upstream: UPSTREAM,
      repository: repository(index),
      digest: unknown(index),
    } as const;
    (await mirror.blob(target, asker)).blob.release();
  };
  for (let index = 0; index < TIMES; index++) {
    const where = { upstream: UPSTREAM, repository: repository(index) };
    await database.metadata.recordLink(where, { kind: "stated", digest: unknown(index), size: blobSize });
  }
  const tag = await median(TIMES, manifest);
  const blob = await median(TIMES, stored);
  const coldAsk = await median(TIMES, cold);
  const record = await median(TIMES, (index) => recordOne(database, repository(index), index));
  const asked = await median(20, async () => {
    await mirror.status();
    await metrics.registry.metrics();
  });
  const status = await median(20, () => mirror.status());
  const lists = await askLists(mirror);
  const evicted = Math.min(EVICTED, blobs / 2);
  const perThousand = 1_000 / evicted;
  const dryRun = (await timed(() => mirror.contents.evict(evicted * blobSize, true))) * perThousand;
  const eviction = (await timed(() => mirror.contents.evict(evicted * blobSize, false))) * perThousand;
  return { tag, blob, cold: coldAsk, record, metrics: asked, status, ...lists, dryRun, eviction };
}

async function askLists({ contents }: StartedMirror) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const query = { sort: "used", limit: 50 } as const;
  let after: string | undefined;
  const list = await timed(async () => {
    after = (await contents.list(query)).next;
  });
  const page = await timed(() => contents.list({ ...query, after }));
  delay.disable();
  return { list, page, listBlock: delay.max / 1e6 - 1 };
}

/** As a pull does: a document that lists a few blobs. */
function recordOne({ metadata }: Database, repository: string, index: number): Promise<void> {
  const listed = Array.from({ length: 10 }, (_, place) => ({
    digest: digestOf(Buffer.from(`listed ${index} ${place}`)),
    size: 1_000,
  }));
  const layers = listed.map(({ digest, size }) => ({ mediaType: LAYER, digest, size }));
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: layers[0], layers }),
  );
  const manifest = { digest: digestOf(bytes), mediaType: MANIFEST, bytes };
  return metadata.recordManifest({ upstream: UPSTREAM, repository }, manifest, listed);
}

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

/** What comes then has to make room for itself. */
async function whenFull({ layout, names }: LargeStore): Promise<number> {
  const { metadata, bound, close } = openDatabase(layout.database);
  bound.renew({ maxBytes: bound.used() });
  const took = await median(TIMES, (index) =>
    recordOne({ metadata } as Database, names.nameOf(index % names.tags).repository, TIMES + index),
  );
  await close();
  return took;
}

/** Milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function median(times: number, work: (time: number) => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let time = 0; time < times; time++) took.push(await timed(() => work(time)));
  return took.sort((a, b) => a - b)[Math.floor(times / 2)] ?? 0;
}
