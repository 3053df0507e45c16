/** Traffic: how much was served, fetched and saved, also after a restart, with a full disk and with a wrong clock. */
import { afterEach, describe, expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import type { RecordRows } from "../../src/metadata/record-rows.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { hourOf } from "../../src/records/local-time.ts";
import { imageOf, recordsWorld } from "../support/records-world.ts";

const image = imageOf("alpine", [10, 500]);
const layer = image.blobs[1] ?? image.digest;
const DAY_MS = 86_400_000;

test("what was served, fetched and saved is known by hour, day, month, upstream, repository and client", async () => {
  const world = await recordsWorld();
  const { traffic } = world.records;
  traffic.fetched("docker.io", "library/alpine", 500);
  world.blob(layer, 500, {}, { from: "upstream" });
  world.blob(layer, 500, { client: "192.0.2.2" });
  world.blob(layer, 500, { upstream: "ghcr.io", repository: "org/app" });
  const sums = { served: 1_500, fetched: 500, saved: 1_000, pulls: 3, hits: 2, misses: 1 };
  const hour = hourOf(world.clock.now());
  for (const written of [false, true]) {
    if (written) await world.clock.advance(10_000);
    expect(await traffic.find({ by: "hour" })).toEqual([{ name: hour, ...sums }]);
    expect(await traffic.find({ by: "day" })).toEqual([{ name: hour.slice(0, 10), ...sums }]);
    expect(await traffic.find({ by: "month" })).toEqual([{ name: hour.slice(0, 7), ...sums }]);
    expect(await traffic.find({ by: "upstream" })).toMatchObject([
      { name: "docker.io", served: 1_000, saved: 500 },
      { name: "ghcr.io", served: 500, saved: 500 },
    ]);
    expect(await traffic.find({ by: "repository", upstream: "ghcr.io" })).toMatchObject([
      { name: "ghcr.io/org/app", hits: 1 },
    ]);
    expect(await traffic.find({ by: "client" })).toMatchObject([
      { name: "192.0.2.1", served: 1_000, hits: 1, misses: 1 },
      { name: "192.0.2.2", served: 500 },
    ]);
    expect(traffic.totals()).toMatchObject({ today: sums, all: { ...sums, since: hour.slice(0, 10) } });
  }
});

test("nothing is written while bytes go out, and then all of it in one transaction", async () => {
  const writes: number[] = [];
  const rows = (real: RecordRows): RecordRows => ({
    ...real,
    write: (batch) => {
      writes.push(batch.traffic.length);
      real.write(batch);
    },
  });
  const world = await recordsWorld({ rows });
  const record = world.begin(layer);
  for (let chunk = 0; chunk < 1_000; chunk++) record.sent(1_000);
  expect(writes).toEqual([]);
  await world.clock.advance(5_000);
  expect(writes).toEqual([2]);
  record.end({ from: "stored", isWhole: true, failure: undefined });
});

test("bytes are counted as they move: a download of an hour shows in each minute of it", async () => {
  const world = await recordsWorld();
  const record = world.begin(layer);
  record.sent(100);
  expect(world.records.traffic.totals().today.served).toBe(100);
  await world.clock.advance(60_000);
  record.sent(100);
  expect(world.records.traffic.totals().today.served).toBe(200);
  record.end({ from: "stored", isWhole: true, failure: undefined });
});

test("traffic is there after a restart, and a kill costs only the last seconds", async () => {
  const world = await recordsWorld();
  world.blob(layer, 500);
  await world.clock.advance(6_000);
  world.blob(layer, 7);
  await world.restart("killed");
  expect(world.records.traffic.totals()).toMatchObject({ today: { served: 500 }, all: { served: 500 } });
  world.blob(layer, 20);
  await world.restart("stopped");
  expect(world.records.traffic.totals()).toMatchObject({ today: { served: 520 }, all: { served: 520 } });
  expect(await world.records.traffic.find({ by: "day" })).toMatchObject([{ served: 520, pulls: 2 }]);
});

test("while the disk is full everything is kept and shown, and written when there is room", async () => {
  let isFull = true;
  const rows = (real: RecordRows): RecordRows => ({
    ...real,
    write: (batch) => {
      if (isFull) throw new GranaryError("store-full", "The metadata failed: SQLITE_FULL.");
      real.write(batch);
    },
  });
  const world = await recordsWorld({ rows });
  world.manifest(image, { tag: "3" });
  world.blob(layer, 500);
  await world.clock.advance(2 * 3_600_000);
  world.blob(layer, 500);
  await world.clock.advance(120_000);
  const served = 1_000 + image.bytes.length;
  expect(await world.records.traffic.find({ by: "hour" })).toHaveLength(2);
  expect(await world.records.traffic.find({ by: "upstream" })).toMatchObject([{ served }]);
  expect(world.pulls()).toHaveLength(2);
  expect(world.records.events.past({ limit: 100 })).toHaveLength(4);
  isFull = false;
  await world.clock.advance(10_000);
  await world.restart("killed");
  expect(world.records.traffic.totals().all.served).toBe(served);
  expect(await world.records.traffic.find({ by: "hour" })).toHaveLength(2);
  expect(world.pulls()).toHaveLength(2);
  expect(world.records.events.past({ limit: 100 })).toHaveLength(4);
});

test("hours go after two weeks and days after the time that the settings say; the sum of all time stays", async () => {
  const world = await recordsWorld({ settings: { keepMs: 60 * DAY_MS, clientsMs: 30 * DAY_MS } });
  world.blob(layer, 500);
  await world.clock.advance(20 * DAY_MS);
  world.blob(layer, 500);
  await world.clock.advance(DAY_MS);
  const { traffic } = world.records;
  expect(await traffic.find({ by: "hour" })).toHaveLength(1);
  expect(await traffic.find({ by: "day" })).toHaveLength(2);
  await world.clock.advance(60 * DAY_MS);
  world.blob(layer, 500);
  await world.clock.advance(DAY_MS);
  expect(await traffic.find({ by: "day" })).toHaveLength(1);
  expect(traffic.totals().all).toMatchObject({ served: 1_500 });
});

test("a clock that is wrong for a while deletes nothing, whichever way it is wrong", async () => {
  const world = await recordsWorld();
  world.blob(layer, 500);
  await world.clock.advance(2 * 3_600_000);
  for (const ms of [20 * 365 * DAY_MS, -50 * 365 * DAY_MS]) {
    world.clock.setBy(ms);
    for (let time = 0; time < 3; time++) {
      world.blob(layer, 500);
      await world.clock.advance(11 * 60_000);
    }
    world.clock.setBy(-ms);
    world.blob(layer, 500);
    await world.clock.advance(11 * 60_000);
  }
  const days = await world.records.traffic.find({ by: "day" });
  expect(days.reduce((sum, { served }) => sum + served, 0)).toBe(9 * 500);
  expect(world.records.traffic.totals().all.served).toBe(9 * 500);
});

test("names that clients invent cost nothing lasting: not a million of repositories that do not exist", async () => {
  const world = await recordsWorld();
  for (let name = 0; name < 20_000; name++) world.missing(`nobody/invented-${name}`);
  await world.clock.advance(10_000);
  const rows = await world.records.traffic.find({ by: "repository" });
  expect(rows).toMatchObject([{ name: "docker.io/(others)", served: 2_000_000 }]);
  expect(world.records.traffic.totals().all.pulls).toBe(0);
});

test("addresses and repositories that do exist are bounded for each hour, and no byte is lost", async () => {
  const world = await recordsWorld();
  for (let name = 0; name < 3_000; name++)
    world.blob(layer, 10, { client: `2001:db8::${name.toString(16)}`, repository: `org/app-${name}` });
  await world.clock.advance(10_000);
  const { traffic } = world.records;
  expect((await traffic.find({ by: "client" })).length).toBeLessThan(1_100);
  expect((await traffic.find({ by: "repository" })).length).toBeLessThan(1_100);
  for (const by of ["client", "repository"] as const)
    expect((await traffic.find({ by })).reduce((sum, { served }) => sum + served, 0)).toBe(30_000);
});

test("the tables stay within their bounds, and what is newest stays", async () => {
  const world = await recordsWorld({ maxBytes: 2 ** 20 });
  for (let day = 0; day < 30; day++) {
    for (let name = 0; name < 100; name++) {
      const repository = `org/app-${day}-${name}`;
      world.blob(digestOf(Buffer.from(repository)), 10, { repository });
    }
    await world.clock.advance(DAY_MS);
  }
  const { traffic } = world.records;
  expect((await traffic.find({ by: "hour" })).length).toBeLessThan(30);
  const repositories = await traffic.find({ by: "repository", since: "0" });
  expect(repositories.length).toBeLessThan(250);
  expect(repositories.some(({ name }) => name.startsWith("docker.io/org/app-29-"))).toBe(true);
  expect(traffic.totals().all.served).toBe(30_000);
});

test("with clients: off no address is stored anywhere, and those that were stored go", async () => {
  const world = await recordsWorld();
  const ask = () => {
    world.manifest(image, { tag: "3" });
    world.blob(layer, 500);
  };
  ask();
  await world.clock.advance(120_000);
  expect(JSON.stringify(await everything(world))).toContain("192.0.2.1");
  world.records.renew({ keepMs: 365 * DAY_MS, clientsMs: 0 });
  ask();
  expect(JSON.stringify(await everything(world))).not.toContain("192.0.2.1");
  await world.clock.advance(120_000);
  await world.restart("stopped", { keepMs: 365 * DAY_MS, clientsMs: 30 * DAY_MS });
  expect((await everything(world)).pulls).toHaveLength(2);
  expect(JSON.stringify(await everything(world))).not.toContain("192.0.2.1");
});

test("with clients: off no address is shown any more, nor written later, also while the disk is full", async () => {
  let isFull = false;
  const unlessFull = <Args extends unknown[]>(work: (...args: Args) => void) => {
    return (...args: Args) => {
      if (isFull) throw new GranaryError("store-full", "The metadata failed: SQLITE_FULL.");
      work(...args);
    };
  };
  const rows = (real: RecordRows): RecordRows => ({
    ...real,
    write: unlessFull(real.write),
    prune: unlessFull(real.prune),
  });
  const world = await recordsWorld({ rows });
  const ask = () => {
    world.manifest(image, { tag: "3" });
    world.blob(layer, 500);
  };
  ask();
  await world.clock.advance(120_000);
  isFull = true;
  ask();
  await world.clock.advance(120_000);
  expect(JSON.stringify(await everything(world))).toContain("192.0.2.1");
  world.records.renew({ keepMs: 365 * DAY_MS, clientsMs: 0 });
  expect(JSON.stringify(await everything(world))).not.toContain("192.0.2.1");
  isFull = false;
  await world.clock.advance(3_600_000);
  ask();
  await world.clock.advance(120_000);
  await world.restart("killed", { keepMs: 365 * DAY_MS, clientsMs: 30 * DAY_MS });
  expect((await everything(world)).pulls).toHaveLength(3);
  expect(JSON.stringify(await everything(world))).not.toContain("192.0.2.1");
});

describe("the last days", () => {
  const zone = process.env.TZ;
  afterEach(() => {
    process.env.TZ = zone;
    if (zone === undefined) delete process.env.TZ;
  });

  // In Berlin 2026-03-29 has 23 hours, and 2026-10-25 has 25.
  test.each([
    ["2026-03-30T00:30:00+02:00", 2, "2026-03-29"],
    ["2026-10-25T23:30:00+01:00", 2, "2026-10-24"],
    ["2026-10-26T00:10:00+01:00", 1, "2026-10-26"],
    ["2026-03-01T12:00:00+01:00", 2, "2026-02-28"],
  ])("at %s the last %i begin on %s, also where clocks are set", async (now, days, first) => {
    process.env.TZ = "Europe/Berlin";
    const world = await recordsWorld();
    world.clock.setBy(Date.parse(now) - world.clock.now());
    expect(world.records.traffic.firstOfLast(days)).toBe(first);
  });
});

describe("periods without traffic", () => {
  const zone = process.env.TZ;
  afterEach(() => {
    process.env.TZ = zone;
    if (zone === undefined) delete process.env.TZ;
  });

  async function periods(now: string, unit: "hour" | "day" | "month", days: number) {
    const world = await recordsWorld();
    world.clock.setBy(Date.parse(now) - world.clock.now());
    world.blob(layer, 500);
    const { traffic } = world.records;
    const since = traffic.firstOfLast(days);
    const items = traffic.withEmpty(await traffic.find({ by: unit, since }), unit, since, 1_000);
    expect(items[0]?.served).toBe(500);
    expect(
      items.slice(1).every(({ served, saved, pulls }) => served === 0 && saved === 0 && pulls === 0),
    ).toBe(true);
    return items.map(({ name }) => name);
  }

  test.each([
    ["2026-03-29T23:30:00+02:00", "Europe/Berlin", 23],
    ["2026-10-25T23:30:00+01:00", "Europe/Berlin", 24],
    ["2026-07-01T23:30:00+02:00", "Europe/Berlin", 24],
    // Half an hour: 02:00 becomes 02:30, so the hour 02 is a short one.
    ["2026-10-04T23:45:00+11:00", "Australia/Lord_Howe", 24],
  ])("the hours of %s in %s are those that the clock showed", async (now, place, hours) => {
    process.env.TZ = place;
    const names = await periods(now, "hour", 1);
    expect(names).toHaveLength(hours);
    expect(new Set(names).size).toBe(hours);
    expect([names[0], names.at(-1)]).toEqual([`${now.slice(0, 10)}T23`, `${now.slice(0, 10)}T00`]);
  });

  test("days and months follow each other without a gap, also over the end of a year and where clocks are set", async () => {
    process.env.TZ = "Europe/Berlin";
    expect(await periods("2026-03-30T00:30:00+02:00", "day", 3)).toEqual([
      "2026-03-30",
      "2026-03-29",
      "2026-03-28",
    ]);
    expect(await periods("2026-01-31T12:00:00+01:00", "month", 93)).toEqual([
      "2026-01",
      "2025-12",
      "2025-11",
      "2025-10",
    ]);
  });

  test("a clock that shows the year 1970 makes no endless list", async () => {
    expect(await periods("1970-01-02T12:00:00Z", "month", 36_500)).toEqual(["1970-01"]);
  });
});

test("addresses go when they are older than the settings say; what they belonged to stays", async () => {
  const world = await recordsWorld({ settings: { keepMs: 365 * DAY_MS, clientsMs: 30 * DAY_MS } });
  world.blob(layer, 500);
  await world.clock.advance(31 * DAY_MS);
  world.blob(layer, 500, { client: "192.0.2.2" });
  await world.clock.advance(120_000);
  expect(JSON.stringify(await everything(world))).not.toContain("192.0.2.1");
  expect((await everything(world)).clients).toMatchObject([{ name: "192.0.2.2" }]);
  expect((await everything(world)).pulls).toMatchObject([{ client: "192.0.2.2" }, { client: null }]);
});

async function everything({ records }: Awaited<ReturnType<typeof recordsWorld>>) {
  return {
    clients: await records.traffic.find({ by: "client" }),
    pulls: records.pulls.find({ before: Number.MAX_SAFE_INTEGER, limit: 100 }),
    events: records.events.past({ limit: 100 }),
    recent: records.events.since(0),
  };
}
