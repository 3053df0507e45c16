/** F15: an origin that answers 200 to a range costs the fill its lanes, never its bytes. */
import { describe, expect, test } from "vitest";
import { World } from "../simulation/world.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

describe("range-blind origins", () => {
  test("F15: one lane reads from 0, each byte is kept once, and readers anywhere are served", async () => {
    const world = new World(1, 4 * MIB);
    world.origin.weather.rangeBlind = true;
    const readers = [
      world.join({ start: 3 * MIB, end: 4 * MIB }),
      world.join(),
      world.join({ start: 9, end: 10 }),
    ];
    await world.finish(60_000);
    world.check();
    expect(readers.map((reader) => reader.outcome)).toEqual(["done", "done", "done"]);
    expect(world.store.blobs.has(world.digest)).toBe(true);
    await world.checkNothingIsLeft();
  });

  test("F15: several lanes that learn it at once leave one, and nothing is written twice", async () => {
    const world = new World(2, 8 * MIB);
    const readers = [0, 1, 2, 3].map((at) => world.join({ start: 2 * at * MIB, end: 2 * (at + 1) * MIB }));
    await world.clock.advance(60);
    expect(world.fill()?.facts.lanes).toBe(4);
    world.origin.weather.rangeBlind = true;
    await world.finish(120_000);
    world.check();
    expect(readers.map((reader) => reader.outcome)).toEqual(Array(4).fill("done"));
    await world.checkNothingIsLeft();
  });

  test("F15: a partial with holes is completed around what is present", async () => {
    const world = new World(3, 4 * MIB);
    const holes = [
      world.join({ start: MIB, end: MIB + 10 }),
      world.join({ start: 3 * MIB, end: 3 * MIB + 10 }),
    ];
    await world.finish(1_000);
    expect(holes.map((reader) => reader.outcome)).toEqual(["done", "done"]);
    world.origin.weather.rangeBlind = true;
    const whole = world.join();
    await world.finish(60_000);
    world.check();
    expect(whole.outcome).toBe("done");
  });

  test("F15: after a cut the lane starts over and skips what it has", async () => {
    const world = new World(4, 4 * MIB);
    Object.assign(world.origin.weather, { rangeBlind: true, cut: 0.01 });
    const whole = world.join();
    await world.finish(600_000);
    world.check();
    expect(whole.outcome).toBe("done");
  });
});
