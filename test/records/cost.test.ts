/** What records may cost those who are served: nothing is written while they are, and what is kept in memory has bounds. */
import { expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import type { RecordRows } from "../../src/metadata/record-rows.ts";
import { eventually } from "../support/patience.ts";
import { imageOf, type RecordsWorld, recordsWorld } from "../support/records-world.ts";

const image = imageOf("alpine", [10, 200, 300]);
const [layer = image.digest] = image.blobs;

test("hits write nothing and set no timer of their own, however many they are", async () => {
  let writes = 0;
  const counted = (real: RecordRows): RecordRows => ({
    ...real,
    write: (batch) => {
      writes += 1;
      real.write(batch);
    },
  });
  const world = await recordsWorld({ rows: counted });
  world.manifest(image, { tag: "3" });
  const { timers } = world.clock;
  for (let hit = 0; hit < 2_000; hit++) {
    world.head(image, "3");
    world.manifest(image, { tag: "3" });
    world.manifest(image, "digest");
    world.blob(layer, 10);
  }
  expect(writes).toBe(0);
  expect(world.clock.timers).toBe(timers);
  await world.clock.advance(5_000);
  expect(writes).toBe(1);
});

test("clients with ever new addresses keep a bounded number of pulls in memory", async () => {
  const world = await recordsWorld();
  const { pulls } = world.records;
  for (let client = 0; client < 6_000; client++) {
    world.manifest(image, { tag: "3" }, { client: `2001:db8::${client.toString(16)}` });
    if (client % 1_500 === 0) await world.clock.advance(5_000);
  }
  expect(pulls.running.length).toBeLessThanOrEqual(1_000);
  expect(pulls.unwritten().length).toBeLessThanOrEqual(3_000);
  await world.clock.advance(5_000);
  expect(pulls.unwritten().length).toBe(0);
});

/** Much that is to be written: sums of 900 repositories, and as many events. */
function much(world: RecordsWorld): void {
  for (let n = 0; n < MUCH; n++) {
    world.records.traffic.fetched("docker.io", `library/image-${n}`, 10);
    world.records.events.tell("evicted", `event ${n}`);
  }
}

const MUCH = 900;

/** What lies in the database itself. */
async function stored({ database }: RecordsWorld) {
  const rows = [...database.records.traffic({ by: "repository" })].flat();
  const events = database.records.events({ before: Number.MAX_SAFE_INTEGER, limit: 10_000 });
  const sum = rows.reduce((all, { fetched }) => all + fetched, 0);
  return { sum, total: database.records.total().sums.fetched, events: events.length };
}

test("much is written in several turns, each of them short, and others have theirs in between", async () => {
  const sizes: number[] = [];
  let turnsBetween = 0;
  const world = await recordsWorld({
    rows: (real) => ({
      ...real,
      write: (batch) => {
        sizes.push(batch.events.length + batch.traffic.length);
        setImmediate(() => {
          turnsBetween += 1;
        });
        real.write(batch);
      },
    }),
  });
  much(world);
  await world.clock.advance(5_000);
  await eventually(async () => expect((await stored(world)).events).toBe(MUCH));
  await eventually(() => expect(sizes).toEqual([400, 400, 400, 400, 200]));
  expect(turnsBetween).toBeGreaterThanOrEqual(4);
  expect(await stored(world)).toMatchObject({ sum: 10 * MUCH, total: 10 * MUCH });
});

test("what is counted while much is written is neither lost nor counted twice", async () => {
  const world = await recordsWorld({
    rows: (real) => ({
      ...real,
      write: (batch) => {
        real.write(batch);
        // Between two turns somebody is served, and somebody looks at the sums.
        if (batch.traffic.length > 0) {
          setImmediate(() => world.records.traffic.fetched("docker.io", "library/image-3", 1));
          world.records.traffic.totals();
        }
      },
    }),
  });
  much(world);
  await world.clock.advance(5_000);
  await eventually(async () => expect((await stored(world)).events).toBe(MUCH));
  await world.clock.advance(5_000);
  const { fetched } = world.records.traffic.totals().all;
  expect(fetched).toBeGreaterThan(10 * MUCH);
  // What is told is what was counted, whatever of it is written: after a restart nothing else is there.
  await world.restart();
  expect(world.records.traffic.totals().all.fetched).toBe(fetched);
  expect(await stored(world)).toMatchObject({ sum: fetched, total: fetched });
});

test("a kill between two turns loses no more than one before them, and what is there adds up", async () => {
  let writes = 0;
  const world = await recordsWorld({
    rows: (real) => ({
      ...real,
      write: (batch) => {
        writes += 1;
        if (writes > 3) throw new GranaryError("closed", "killed");
        real.write(batch);
      },
    }),
  });
  much(world);
  await world.clock.advance(5_000);
  await eventually(() => expect(writes).toBeGreaterThan(3));
  await world.restart("killed");
  const { sum, total, events } = await stored(world);
  expect(events).toBe(MUCH);
  // Three turns: all events, and the sums of 300 repositories.
  expect([sum, total]).toEqual([3_000, 3_000]);
});

test("a disk that is full in the middle of it delays the rest, and counts nothing twice", async () => {
  let writes = 0;
  const world = await recordsWorld({
    rows: (real) => ({
      ...real,
      write: (batch) => {
        writes += 1;
        if (writes === 4) throw new GranaryError("store-full", "The disk is full.");
        real.write(batch);
      },
    }),
  });
  much(world);
  await world.clock.advance(5_000);
  await eventually(() => expect(writes).toBe(4));
  await world.clock.advance(5_000);
  await eventually(async () => expect((await stored(world)).total).toBe(10 * MUCH));
  expect(await stored(world)).toMatchObject({ sum: 10 * MUCH, events: MUCH });
});
