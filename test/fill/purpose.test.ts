/** What a fill is wanted for: the most urgent of those who want it at this moment. */
import { expect, test } from "vitest";
import { drawnMap } from "../../src/fill/drawn-runs.ts";
import type { Purpose } from "../../src/purpose.ts";
import { World } from "../simulation/world.ts";

const MIB = 2 ** 20;

/** A world whose line takes a minute for its blob. */
function slowWorld(): World {
  const world = new World(1, 16 * MIB);
  world.line.settings.rate = 250;
  return world;
}

function purposeIn(world: World): Purpose | undefined {
  return world.fill()?.facts.purpose;
}

test("a warm-up's fill that a client joins is waited for, and falls back when the client has left", async () => {
  const world = slowWorld();
  const warm = world.join(undefined, { wanting: { purpose: "warm" } });
  await world.clock.advance(1_000);
  expect(purposeIn(world)).toBe("warm");
  const client = world.join();
  expect(purposeIn(world)).toBe("waited");
  await world.clock.advance(500);
  client.leave();
  expect(purposeIn(world)).toBe("warm");
  await world.finish(200_000);
  expect(warm.outcome).toBe("done");
  await world.checkNothingIsLeft();
});

test("F5: neither a client's joining nor its leaving ends a lane of a warm-up", async () => {
  const world = slowWorld();
  world.join(undefined, { wanting: { purpose: "warm" } });
  await world.clock.advance(2_000);
  const before = world.origin.asked.length;
  const client = world.join();
  client.leave();
  await world.clock.advance(10);
  expect(world.origin.asked).toHaveLength(before);
  await world.finish(200_000);
  await world.checkNothingIsLeft();
});

test("what goes on after the last client has left is read ahead", async () => {
  const world = slowWorld();
  const client = world.join();
  await world.clock.advance(1_000);
  client.leave();
  expect(purposeIn(world)).toBe("ahead");
  await world.checkNothingIsLeft();
});

test("inside one fill the readers that wait go before those of a warm-up, however late they come", async () => {
  const world = slowWorld();
  for (let at = 1; at <= 12; at++)
    world.join({ start: at * MIB, end: (at + 1) * MIB }, { wanting: { purpose: "warm" } });
  await world.clock.advance(3_000);
  const client = world.join({ start: 15 * MIB, end: 16 * MIB });
  while (client.at === client.start) await world.clock.advance(100);
  expect(client.longestWaitMs).toBeLessThan(world.policy.starveMs / 2);
  for (const reader of world.reading) reader.leave();
  await world.checkNothingIsLeft();
});

test("the map of a fill has at most a few hundred runs, however its bytes lie", () => {
  const scattered = Array.from({ length: 100_000 }, (_, index) => ({
    start: index * 50,
    end: index * 50 + 25,
  }));
  const drawn = drawnMap(scattered, 5_000_000).runs;
  expect(drawn.length).toBeLessThanOrEqual(200);
  expect(drawn[0]?.start).toBe(0);
  expect(drawn.at(-1)?.end).toBe(scattered.at(-1)?.end);
  const few = [
    { start: 0, end: 5 },
    { start: 9, end: 10 },
  ];
  expect(drawnMap(few, 100)).toEqual({ runs: few, cells: undefined });
});
