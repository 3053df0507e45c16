/**
 * Who gets the line: what is fetched in advance gives way to clients, and has all of it when no client needs it. On the simulated line, in
 * simulated time; slow-line-order.test.ts has the same with real sockets.
 */
import { describe, expect, test } from "vitest";
import type { Purpose } from "../../src/purpose.ts";
import type { LineSettings } from "../simulation/simulated-line.ts";
import { USUAL_POLICY } from "../simulation/usual-policy.ts";
import { type SimulatedBlob, World } from "../simulation/world.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const LINES: readonly { readonly name: string; readonly settings: Partial<LineSettings> }[] = [
  { name: "4 MB/s in all", settings: { rate: 4_000, delayMs: 20 } },
  { name: "4 MB/s in all, 4 connections", settings: { rate: 4_000, delayMs: 20, most: 4 } },
  {
    name: "700 kB/s per connection, 2 connections",
    settings: { ratePerConnection: 700, most: 2, delayMs: 20 },
  },
  {
    name: "300 kB/s in all, connections cut after 1 MB",
    settings: { rate: 300, cutAfter: 1e6, delayMs: 20 },
  },
];

/** A client's blob, and `others` more, all over one line. */
function worldOf(settings: Partial<LineSettings>, size: number, others: number) {
  const world = new World(1, size, USUAL_POLICY);
  Object.assign(world.line.settings, settings);
  const more = Array.from({ length: others }, () => world.add(24 * MIB));
  for (const { origin } of world.blobs)
    Object.assign(origin.weather, { latencyMs: 0, chunkMs: 0, chunkBytes: 16 * KIB });
  return { world, more };
}

function begin(world: World, blobs: readonly SimulatedBlob[], purpose: Purpose) {
  return blobs.map((blob) => world.join(undefined, { wanting: { purpose } }, blob));
}

/** How long a client takes for `size` bytes while `others` fills run for `purpose`, ms; and what it went without at most. */
async function clientTime(settings: Partial<LineSettings>, size: number, others: number, purpose: Purpose) {
  const { world, more } = worldOf(settings, size, others);
  const warming = begin(world, more, purpose);
  await world.clock.advance(10_000);
  const before = world.line.carried;
  const begunAt = world.clock.elapsed();
  const client = world.join();
  while (client.outcome === "reading") await world.clock.advance(10);
  expect(client.outcome).toBe("done");
  const result = {
    ms: world.clock.elapsed() - begunAt,
    longestWaitMs: client.longestWaitMs,
    /** Part of what the line carried meanwhile. */
    share: size / (world.line.carried - before),
  };
  world.check();
  for (const reader of warming) reader.leave();
  await world.checkNothingIsLeft();
  return result;
}

describe.each(LINES)("over $name", ({ settings }) => {
  const size = 16 * MIB;
  test("F17: a client gets what it gets alone, while 8 fills of a warm-up run", {
    timeout: 120_000,
  }, async () => {
    const alone = await clientTime(settings, size, 0, "warm");
    const warm = await clientTime(settings, size, 8, "warm");
    expect(warm.ms / alone.ms).toBeLessThan(1.06);
    expect(warm.share).toBeGreaterThan(0.94);
    expect(warm.longestWaitMs).toBeLessThanOrEqual(5_000);
  });
});

test("what a warm-up wants goes on as soon as no client needs the line, with the whole of it", async () => {
  const settings = { rate: 4_000, delayMs: 20 };
  const { world, more } = worldOf(settings, 6 * MIB, 8);
  const begunAt = world.clock.elapsed();
  const warming = begin(world, more, "warm");
  await world.clock.advance(5_000);
  const client = world.join();
  while (client.outcome === "reading") await world.clock.advance(10);
  await world.finish(400_000);
  expect(warming.map(({ outcome }) => outcome)).toEqual(warming.map(() => "done"));
  const total = 6 * MIB + 8 * 24 * MIB;
  expect((world.line.lastAt - begunAt) / (total / 4_000)).toBeLessThan(1.08);
  await world.checkNothingIsLeft();
});

test("what is prefetched goes before what is warmed, and after what a client reads", async () => {
  const { world, more } = worldOf({ rate: 4_000, delayMs: 20 }, 6 * MIB, 2);
  const [first, second] = more;
  if (first === undefined || second === undefined) throw new Error("two blobs");
  const [warm] = begin(world, [first], "warm");
  await world.clock.advance(1_000);
  const [fetched] = begin(world, [second], "prefetch");
  await world.clock.advance(1_000);
  const client = world.join();
  await world.clock.advance(500);
  expect(world.fill(first)?.facts).toMatchObject({ lanes: 0, heldForMs: expect.any(Number) });
  expect(world.fill(second)?.facts).toMatchObject({ lanes: 0, heldForMs: expect.any(Number) });
  while (client.outcome === "reading") await world.clock.advance(100);
  await world.clock.advance(1_500);
  expect(world.fill(first)?.facts).toMatchObject({ lanes: 0, heldForMs: expect.any(Number) });
  expect(world.fill(second)?.facts.lanes).toBeGreaterThan(0);
  expect(world.fill(second)?.facts.heldForMs).toBeUndefined();
  await world.finish(200_000);
  expect([warm?.outcome, fetched?.outcome]).toEqual(["done", "done"]);
  await world.checkNothingIsLeft();
});

test("a client whose registry brings nothing keeps no warm-up waiting", async () => {
  const { world, more } = worldOf({ rate: 4_000, delayMs: 20 }, 6 * MIB, 2);
  const warming = begin(world, more, "warm");
  await world.clock.advance(1_000);
  // The client's own registry: its bodies never send another byte.
  world.origin.weather.chunkMs = 1e8;
  const client = world.join();
  await world.clock.advance(8_000);
  for (const blob of more) expect(world.fill(blob)?.facts.lanes).toBeGreaterThan(0);
  for (let passed = 0; passed < 60 && warming.some(({ outcome }) => outcome === "reading"); passed++)
    await world.clock.advance(1_000);
  expect(warming.map(({ outcome }) => outcome)).toEqual(["done", "done"]);
  client.leave();
  await world.checkNothingIsLeft();
});

test("a warm-up that clients keep waiting for a minute says so once, and again when it goes on", async () => {
  const { world, more } = worldOf({ rate: 100, delayMs: 20 }, 12 * MIB, 2);
  const lines: string[] = [];
  const info = (...told: unknown[]) => void lines.push(String(told.at(-1)));
  world.log = { ...world.log, info };
  await world.restart();
  begin(world, more, "warm");
  await world.clock.advance(1_000);
  const client = world.join();
  await world.clock.advance(100_000);
  expect(lines.filter((line) => line.includes("waits: clients need the line"))).toHaveLength(1);
  client.leave();
  await world.clock.advance(15_000);
  expect(lines.filter((line) => line.includes("goes on"))).toHaveLength(1);
  for (const reader of world.reading) reader.leave();
  await world.checkNothingIsLeft();
});

test("a fill that a client joins runs at once, and is held again when only the warm-up is left", async () => {
  const { world, more } = worldOf({ rate: 400, delayMs: 20 }, 6 * MIB, 1);
  const [other] = more;
  if (other === undefined) throw new Error("one blob");
  begin(world, [other], "warm");
  const first = world.join();
  await world.clock.advance(2_000);
  expect(world.fill(other)?.facts.lanes).toBe(0);
  const joined = world.join(undefined, {}, other);
  await world.clock.advance(100);
  expect(world.fill(other)?.facts.lanes).toBeGreaterThan(0);
  await world.clock.advance(1_000);
  joined.leave();
  await world.clock.advance(1_500);
  expect(world.fill(other)?.facts).toMatchObject({ purpose: "warm", lanes: 0 });
  expect(first.outcome).toBe("reading");
  for (const reader of world.reading) reader.leave();
  await world.checkNothingIsLeft();
});
