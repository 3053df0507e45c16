/** F16: a full disk never turns a reader away: the blob passes through, uncached and counted. */
import { describe, expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { World } from "../simulation/world.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** A disk that is full and stays so. */
function fullWorld(seed: number, size: number): World {
  const world = new World(seed, size);
  world.hasRoom = false;
  return world;
}

async function bypasses(world: World): Promise<number> {
  return (await world.metrics.bypasses.get()).values[0]?.value ?? 0;
}

describe("no room", () => {
  test("F16: a whole reader, ranged readers and late ones get exactly their bytes from a disk that fills up", async () => {
    const world = fullWorld(1, 8 * MIB);
    const readers = [
      world.join(),
      world.join({ start: 5 * MIB, end: 6 * MIB }),
      world.join(undefined, { pauseMs: 20 }),
    ];
    await world.clock.advance(60);
    world.store.full = true;
    await world.clock.advance(500);
    readers.push(world.join(), world.join({ start: 0, end: 1 }));
    await world.finish(120_000);
    world.check();
    expect(readers.map((reader) => reader.error)).toEqual(Array(5).fill(undefined));
    expect(readers.map((reader) => reader.outcome)).toEqual(Array(5).fill("done"));
    expect(world.store.blobs.size).toBe(0);
    expect(await bypasses(world)).toBeGreaterThan(0);
    await world.checkNothingIsLeft();
  });

  test("F16: what is present when the disk fills up is read from it, not from the origin again", async () => {
    const world = fullWorld(2, 8 * MIB);
    const slow = world.join({ start: 0, end: 8 * MIB }, { pauseMs: 50, bytesPerRead: 64 * KIB });
    await world.clock.advance(1_000);
    const present = world.fill()?.facts.present ?? 0;
    expect(present).toBeGreaterThan(slow.at);
    world.store.full = true;
    await world.finish(120_000);
    expect(slow.outcome).toBe("done");
    expect(world.origin.delivered).toBeLessThan(8 * MIB + MIB);
    await world.checkNothingIsLeft();
  });

  test("F16: a disk too full to create the partial is passed by as well", async () => {
    const world = fullWorld(3, 2 * MIB);
    world.store.full = true;
    const readers = [world.join(), world.join({ start: MIB, end: MIB + 10 })];
    await world.finish(60_000);
    expect(readers.map((reader) => reader.outcome)).toEqual(["done", "done"]);
    await world.checkNothingIsLeft();
  });

  test("F16: room that was promised and is not there is no outage either", async () => {
    const world = new World(4, 2 * MIB);
    const reader = world.join();
    await world.clock.advance(20);
    world.store.full = true;
    await world.finish(120_000);
    expect(reader.error).toBeUndefined();
    expect(reader.outcome).toBe("done");
    await world.checkNothingIsLeft();
  });

  test("F16: a disk that fails in another way is passed by just the same", async () => {
    for (const when of ["opening", "writing"]) {
      const world = new World(9, 2 * MIB);
      const damaged = () => Promise.reject(new GranaryError("store-damaged", "simulated: EIO"));
      const readers = [world.join(), world.join({ start: MIB, end: MIB + 10 })];
      if (when === "opening") world.store.openPartial = damaged;
      else await world.clock.advance(20);
      for (const partial of world.store.opened) partial.write = damaged;
      await world.finish(2_000);
      expect(readers.map((reader) => reader.outcome)).toEqual(["done", "done"]);
      expect(await bypasses(world)).toBeGreaterThan(0);
      await world.checkNothingIsLeft();
    }
  });

  test("F16: room that is made in time keeps the blob", async () => {
    const world = new World(5, 4 * MIB);
    const reader = world.join();
    await world.clock.advance(20);
    world.store.full = true;
    await world.clock.advance(30);
    world.store.full = false;
    await world.finish(60_000);
    expect(reader.outcome).toBe("done");
    expect(world.roomAsked.length).toBeGreaterThan(0);
    expect(world.store.blobs.has(world.digest)).toBe(true);
    expect(await bypasses(world)).toBe(0);
  });

  test("F16: when the readers have left, the partial is let go, and the next fill goes on from it", async () => {
    const world = fullWorld(6, 4 * MIB);
    const reader = world.join();
    await world.clock.advance(1_100);
    reader.leave();
    const again = world.join(undefined, { pauseMs: 1 });
    world.store.full = true;
    await world.finish(60_000);
    expect(again.outcome).toBe("done");
    await world.checkNothingIsLeft();
    world.store.full = false;
    const last = world.join();
    await world.finish(60_000);
    expect(last.outcome).toBe("done");
    expect(world.store.blobs.has(world.digest)).toBe(true);
    await world.checkNothingIsLeft();
  });

  test("F16: F18 holds for what passes through: a corrupt blob is never finished", async () => {
    for (const fullAfterMs of [0, 10, 40]) {
      const world = fullWorld(7, 2 * MIB);
      world.origin.weather.corrupt = 1;
      const whole = world.join();
      await world.clock.advance(fullAfterMs);
      world.store.full = true;
      await world.finish(60_000);
      expect(whole.error).toMatchObject({ code: "digest-mismatch" });
      expect(whole.at).toBeLessThan(2 * MIB);
      expect(world.origin.strikes).toBe(1);
      await world.checkNothingIsLeft();
    }
  });

  test("F16: a connection that is cut is resumed where it was, and range-blind origins are skipped through", async () => {
    const world = fullWorld(8, 2 * MIB);
    world.store.full = true;
    Object.assign(world.origin.weather, { cut: 0.05 });
    const cut = world.join();
    await world.finish(600_000);
    expect(cut.outcome).toBe("done");
    Object.assign(world.origin.weather, { cut: 0, rangeBlind: true });
    const blind = world.join({ start: MIB, end: MIB + 100 });
    await world.finish(60_000);
    world.check();
    expect(blind.outcome).toBe("done");
    await world.checkNothingIsLeft();
  });

  test("F16: a disk that takes bytes and gives none back turns nobody away who can be served without it", async () => {
    const world = new World(9, 8 * MIB);
    world.store.unreadable = true;
    const readers = [world.join(), world.join({ start: 5 * MIB, end: 6 * MIB })];
    await world.finish(60_000);
    expect(readers.map(({ outcome, error }) => error ?? outcome)).toEqual(["done", "done"]);
    world.check();
    await world.checkNothingIsLeft();
  });

  test("F16: when what was read cannot be hashed on the disk, a ranged reader does not suffer from it", async () => {
    const world = new World(10, 2 * MIB);
    const part = world.join({ start: MIB, end: 2 * MIB }, { pauseMs: 15 });
    await world.clock.advance(10);
    for (const partial of world.store.opened)
      partial.breakFollower(new GranaryError("store-damaged", "simulated: EIO"));
    const whole = world.join();
    await world.finish(60_000);
    expect(part.error ?? part.outcome).toBe("done");
    expect(whole.error ?? whole.outcome).toBe("done");
    await world.checkNothingIsLeft();
  });
});
