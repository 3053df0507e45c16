/** F13: what happens to a fill when its last reader leaves, and when one comes back. */
import { describe, expect, test } from "vitest";
import { World } from "../simulation/world.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** Slow enough that 16 MiB take many seconds. */
const SLOW = { chunkBytes: 32 * KIB, chunkMs: 100 };

describe("linger", () => {
  test("F13: lanes go on for lingerMs after the last reader left, then the fill saves and leaves", async () => {
    const world = new World(1, 64 * MIB);
    Object.assign(world.origin.weather, { chunkBytes: 32 * KIB, chunkMs: 10 });
    const reader = world.join();
    while (reader.at < 12 * MIB) await world.clock.advance(100);
    reader.leave();
    const atLeave = world.origin.delivered;
    await world.clock.advance(world.policy.lingerMs - 100);
    expect(world.fills.status()).toHaveLength(1);
    expect(world.origin.delivered).toBeGreaterThan(atLeave);
    await world.clock.advance(300);
    expect(world.fills.status()).toHaveLength(0);
    const atPause = world.origin.delivered;
    await world.checkNothingIsLeft();
    expect(world.origin.delivered).toBe(atPause);
  });

  test("F13: a reader that comes back within the linger goes on with the same fill", async () => {
    const world = new World(2, 16 * MIB);
    Object.assign(world.origin.weather, SLOW);
    const first = world.join();
    await world.clock.advance(1_000);
    const fill = world.fill();
    first.leave();
    await world.clock.advance(world.policy.lingerMs - 10);
    const second = world.join();
    expect(world.fill()).toBe(fill);
    await world.finish(120_000);
    expect(second.outcome).toBe("done");
  });

  test("F13: a paused fill is resumed without fetching again what it had", async () => {
    const world = new World(3, 16 * MIB);
    Object.assign(world.origin.weather, SLOW);
    const first = world.join();
    await world.clock.advance(3_000);
    first.leave();
    await world.clock.advance(world.policy.lingerMs + 1_000);
    expect(world.store.opened.size).toBe(0);
    const second = world.join();
    await world.finish(120_000);
    expect(second.outcome).toBe("done");
    // What the lanes had received of the chunk that the pause cut is all that may come twice.
    expect(world.origin.delivered).toBe(16 * MIB);
    await world.checkNothingIsLeft();
  });

  test("F13: a reader that comes at any instant of the pause is served, and the partial is open once", async () => {
    for (let ms = -5; ms < 60; ms++) {
      const world = new World(4, 3 * MIB);
      Object.assign(world.origin.weather, SLOW);
      const first = world.join();
      await world.clock.advance(500);
      first.leave();
      await world.clock.advance(world.policy.lingerMs + ms);
      const second = world.join();
      await world.finish(120_000);
      expect(second.error).toBeUndefined();
      expect(second.outcome).toBe("done");
      await world.checkNothingIsLeft();
    }
  });

  test("F13: with `finish` the fill completes although nobody is left", async () => {
    const world = new World(5, 3 * MIB, { finish: true });
    const reader = world.join();
    await world.clock.advance(20);
    reader.leave();
    await world.clock.advance(10_000);
    expect(world.store.blobs.has(world.digest)).toBe(true);
    await world.checkNothingIsLeft();
  });

  test("F13: a probe that reads no body costs no more than a first segment", async () => {
    const world = new World(6, 64 * MIB);
    const probe = world.join(undefined, { pauseMs: 1e9, bytesPerRead: 1 });
    await world.clock.advance(1);
    probe.leave();
    await world.checkNothingIsLeft();
    expect(world.origin.delivered).toBeLessThanOrEqual(2 * world.policy.firstSegment);
  });

  test("F13: a pause on a full disk is no failure for the reader that comes meanwhile", async () => {
    const world = new World(7, 3 * MIB);
    Object.assign(world.origin.weather, SLOW);
    const first = world.join();
    await world.clock.advance(500);
    first.leave();
    world.store.full = true;
    await world.clock.advance(world.policy.lingerMs + 10);
    const second = world.join();
    await world.clock.advance(50);
    world.store.full = false;
    await world.finish(120_000);
    expect(second.error).toBeUndefined();
    expect(second.outcome).toBe("done");
    await world.checkNothingIsLeft();
  });
});
