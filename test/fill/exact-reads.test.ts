/** F2, F3, F4, F7 and F14: what one reader gets, when it is woken, and what it costs the others. */
import { describe, expect, test } from "vitest";
import { World } from "../simulation/world.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

describe("exact reads", () => {
  test.each([
    ["the whole", undefined],
    ["one byte", { start: 777, end: 778 }],
    ["nothing", { start: 10, end: 10 }],
    ["the tail", { start: 3 * MIB - 5, end: 3 * MIB }],
    ["all of it as a range", { start: 0, end: 3 * MIB }],
  ])("F2: a reader of %s gets exactly that", async (_name, range) => {
    const world = new World(1, 3 * MIB);
    const reader = world.join(range, { bytesPerRead: 100_003 });
    await world.finish(60_000);
    world.check();
    expect(reader.error).toBeUndefined();
    expect(reader.at).toBe(range?.end ?? 3 * MIB);
    expect(reader.outcome).toBe("done");
  });

  test("F2: an empty blob is read to its end, once its digest is known", async () => {
    const world = new World(2, 0);
    const reader = world.join();
    await world.finish(10_000);
    expect(reader.outcome).toBe("done");
    await world.checkNothingIsLeft();
  });

  test("F2: a range past the end of the running fill is refused, whatever size its reader was promised", async () => {
    const world = new World(3, MIB);
    const fill = world.obtain();
    expect(() => fill.reader({ start: 0, end: MIB + 1 })).toThrow(
      expect.objectContaining({ code: "range-unsatisfiable" }),
    );
    expect(() => fill.reader({ start: -1, end: 5 })).toThrow(
      expect.objectContaining({ code: "range-unsatisfiable" }),
    );
    await world.checkNothingIsLeft();
  });

  test("F2: an origin that states another size than the descriptor is never read from", async () => {
    const world = new World(4, MIB);
    const { digest, origin, policy } = { ...world.blob, policy: world.policy };
    const reader = world.fills
      .obtain({ digest, upstream: world.blob.upstream, size: MIB + 5, origin, policy })
      .reader();
    const reading = expect(reader.read(new Uint8Array(10))).rejects.toMatchObject({ code: "size-mismatch" });
    await world.clock.advance(60_000);
    await reading;
    expect(origin.delivered).toBe(0);
    reader.close();
    await world.checkNothingIsLeft();
  });

  test("F3: bytes are readable only after their write has returned", async () => {
    const world = new World(5, MIB);
    const reader = world.join();
    // MemoryPartial.read throws when a byte is read that is not present, and write marks nothing: the reader would fail.
    await world.finish(60_000);
    expect(reader.error).toBeUndefined();
  });

  test("F4: a wait that comes when every lane has gone home starts one again", async () => {
    const world = new World(6, 8 * MIB);
    const first = world.join({ start: 0, end: KIB });
    await world.clock.advance(500);
    expect(first.outcome).toBe("done");
    const idle = world.join({ start: 0, end: 8 * MIB }, { pauseMs: 10_000, bytesPerRead: 1 });
    await world.clock.advance(500);
    expect(world.fill()?.facts.lanes).toBe(0);
    const late = world.join({ start: 7 * MIB, end: 7 * MIB + 10 });
    await world.finish(500);
    expect(late.outcome).toBe("done");
    idle.leave();
    await world.checkNothingIsLeft();
  });

  test("F4: waits that came while the lanes backed off are served when they try again", async () => {
    const world = new World(7, 8 * MIB);
    world.origin.weather.refuse = 1;
    const first = world.join();
    await world.clock.advance(50);
    const second = world.join({ start: 5 * MIB, end: 5 * MIB + 100 });
    world.origin.weather.refuse = 0;
    await world.finish(5_000);
    expect([first.outcome, second.outcome]).toEqual(["done", "done"]);
    await world.checkNothingIsLeft();
  });

  test("F7: a reader that stalls for ever slows nobody", async () => {
    const alone = new World(8, 4 * MIB);
    const reader = alone.join();
    while (reader.outcome === "reading") await alone.clock.advance(1);
    const aloneMs = alone.clock.now();

    const world = new World(8, 4 * MIB);
    const stalled = Array.from({ length: 20 }, () =>
      world.join(undefined, { pauseMs: 1e9, bytesPerRead: 1 }),
    );
    const quick = world.join();
    while (quick.outcome === "reading") await world.clock.advance(1);
    expect(world.clock.now()).toBeLessThanOrEqual(aloneMs + 50);
    for (const each of stalled) each.leave();
  });

  test("F14: a reader that follows a drip of 1 KiB wakes each 20 ms or 256 KiB, not per packet", async () => {
    const world = new World(9, MIB);
    Object.assign(world.origin.weather, { chunkBytes: KIB, chunkMs: 1 });
    const reader = world.join();
    await world.finish(60_000);
    expect(reader.outcome).toBe("done");
    // 1024 packets in 1024 ms: one wake-up each 20 ms (plus the write), and a few at the ends of segments.
    expect(reader.reads).toBeLessThan(80);
    expect(reader.longestWaitMs).toBeLessThan(100);
  });

  test("F14: a few bytes are not kept back until more of them come", async () => {
    const world = new World(10, MIB);
    Object.assign(world.origin.weather, { chunkBytes: 100, chunkMs: 1_000 });
    const reader = world.join({ start: 0, end: 100 });
    await world.clock.advance(1_100);
    expect(reader.outcome).toBe("done");
  });
});
