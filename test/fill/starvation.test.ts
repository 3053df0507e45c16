/** F17: while the origin delivers anything, no reader waits longer than starveMs for its next byte. */
import { describe, expect, test } from "vitest";
import { World } from "../simulation/world.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** The numbers that upstreams get by default. */
const POLICY = {
  lanes: 6,
  smallBlob: 4 * MIB,
  firstSegment: MIB,
  largestSegment: 16 * MIB,
  starveMs: 5_000,
};

/** Bytes per second of one connection. */
function slow(world: World, bytesPerSecond: number, latencyMs = 100): void {
  const chunkBytes = 8 * KIB;
  Object.assign(world.origin.weather, {
    latencyMs,
    chunkBytes,
    chunkMs: (1000 * chunkBytes) / bytesPerSecond,
  });
}

describe("starvation", () => {
  test.each([
    ["2 MB/s", 2e6],
    ["300 kB/s", 300e3],
    ["100 kB/s", 100e3],
  ])("F17: 64 far-apart readers on 6 lanes of %s each wait at most starveMs", async (_name, rate) => {
    const world = new World(1, 64 * MIB, POLICY);
    slow(world, rate);
    const readers = Array.from({ length: 64 }, (_, index) =>
      world.join({ start: index * MIB, end: (index + 1) * MIB }),
    );
    await world.clock.advance(60_000);
    const waits = readers.map((reader) => ({
      longest: reader.longestWaitMs,
      now: reader.waitingSince === undefined ? 0 : world.clock.now() - reader.waitingSince,
    }));
    expect(Math.max(...waits.map(({ longest, now }) => Math.max(longest, now)))).toBeLessThanOrEqual(5_000);
    for (const reader of readers) reader.leave();
    await world.checkNothingIsLeft();
  });

  test("F17: a reader deep inside a large segment of a slow lane does not wait for that lane to get there", async () => {
    const world = new World(2, 256 * MIB, { ...POLICY, lanes: 1 });
    slow(world, 500e3);
    const whole = world.join();
    const isLarge = () => {
      const { start, end } = world.origin.asked.at(-1) ?? { start: 0, end: 0 };
      return end - start > 8 * MIB;
    };
    while (!isLarge()) await world.clock.advance(100);
    const { end } = world.origin.asked.at(-1) ?? { end: 0 };
    const deep = world.join({ start: end - KIB, end });
    await world.clock.advance(5_000);
    expect(deep.outcome).toBe("done");
    expect(deep.longestWaitMs).toBeLessThanOrEqual(5_000);
    whole.leave();
    await world.checkNothingIsLeft();
  });

  test("F17: the end of a slow lane's segment is shared out when other lanes have nothing to do", async () => {
    const world = new World(3, 24 * MIB, POLICY);
    slow(world, 1e6);
    const reader = world.join();
    await world.finish(600_000);
    expect(reader.outcome).toBe("done");
    // One lane alone would take 25 s; six take 4.2 s at best.
    expect(world.clock.now() - 1_700_000_000_000).toBeLessThan(15_000);
  });

  test("F17: a body that stalls while its reader waits is asked for again", async () => {
    const world = new World(4, 32 * MIB, POLICY);
    const reader = world.join();
    await world.clock.advance(30);
    world.origin.stallBodies();
    await world.finish(5_500);
    expect(reader.longestWaitMs).toBeLessThanOrEqual(5_000);
    expect(reader.outcome).toBe("done");
    await world.checkNothingIsLeft();
  });
});
