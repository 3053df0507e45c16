/** F1, F5 and F9: one Fill per digest and upstream, which no client's leaving touches and which is findable until its blob is. */
import { describe, expect, test } from "vitest";
import { SimulatedReader } from "../simulation/simulated-reader.ts";
import { World } from "../simulation/world.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

describe("one fill", () => {
  test("F1: a hundred readers in one tick share one fill and one transfer", async () => {
    const world = new World(1, 2 * MIB);
    const readers = Array.from({ length: 100 }, () => world.join());
    expect(world.fills.status()).toHaveLength(1);
    await world.finish(60_000);
    expect(new Set(readers.map((reader) => reader.outcome))).toEqual(new Set(["done"]));
    expect(world.origin.delivered).toBe(2 * MIB);
    await world.checkNothingIsLeft();
  });

  test("F1: a fill stopped while it opens closes what it opened before the next one opens it", async () => {
    const world = new World(2, 2 * MIB);
    const first = world.join();
    await world.clock.advance(0);
    const stopped = world.obtain().stop();
    const second = world.join();
    await world.finish(60_000);
    await stopped;
    expect(first.error).toMatchObject({ code: "closed" });
    expect(second.outcome).toBe("done");
    await world.checkNothingIsLeft();
  });

  test("F1: a fill that broke lets its partial go before the next one opens it", async () => {
    const world = new World(3, 2 * MIB);
    const failed = world.join();
    await world.clock.advance(20);
    for (const partial of world.store.opened) partial.breakFollower(new Error("the hashing thread is gone"));
    while (failed.outcome === "reading") await world.clock.advance(1);
    const next = world.join();
    await world.finish(60_000);
    expect(next.error).toBeUndefined();
    expect(next.outcome).toBe("done");
    await world.checkNothingIsLeft();
  });

  test("F1: a fill waits for the one that still closes", async () => {
    const world = new World(12, 8 * MIB);
    world.join();
    await world.clock.advance(100);
    const stopped = world.obtain().stop();
    const next = world.join();
    await world.finish(60_000);
    await stopped;
    expect(next.error).toBeUndefined();
    expect(next.outcome).toBe("done");
    await world.checkNothingIsLeft();
  });

  test("F1: two upstreams' transfers of one digest are two, and wrong bytes of one reach nobody who asked the other", async () => {
    const world = new World(13, 4 * MIB);
    const twin = world.addTwin(world.blob);
    world.origin.weather.corrupt = 1;
    const deceived = [world.join(), world.join({ start: 0, end: 2 * MIB })];
    const honest = [world.join(undefined, {}, twin), world.join({ start: 0, end: 2 * MIB }, {}, twin)];
    expect(world.fills.status()).toHaveLength(2);
    await world.finish(60_000);
    expect(honest.map(({ outcome, wrongAt }) => [outcome, wrongAt])).toEqual(
      Array(2).fill(["done", undefined]),
    );
    expect(deceived[0]?.error).toMatchObject({ code: "digest-mismatch" });
    expect([world.origin.strikes, twin.origin.strikes]).toEqual([1, 0]);
    expect(twin.origin.delivered).toBe(4 * MIB);
    // What is verified is everybody's.
    await world.checkNothingIsLeft();
    world.origin.refuseWith = () => new Error("nobody asks any more");
    const last = world.join();
    await world.finish(60_000);
    expect([last.outcome, last.wrongAt]).toEqual(["done", undefined]);
    await world.checkNothingIsLeft();
  });

  test("F1: two upstreams may both bring a digest whole: each byte of each once, and one blob", async () => {
    const world = new World(14, 4 * MIB);
    const twin = world.addTwin(world.blob);
    const readers = [world.join(), world.join(undefined, {}, twin)];
    await world.finish(60_000);
    expect(readers.map(({ outcome }) => outcome)).toEqual(["done", "done"]);
    expect([world.origin.delivered, twin.origin.delivered]).toEqual([4 * MIB, 4 * MIB]);
    expect(world.store.blobs.size).toBe(1);
    await world.checkNothingIsLeft();
  });

  test("F1: a fill by a size that some document stated gives way to one by the upstream's own word", async () => {
    const world = new World(15, MIB);
    const { digest, upstream, origin } = world.blob;
    const ask = { digest, upstream, origin, policy: world.policy };
    world.origin.weather.latencyMs = 1_000;
    const misled = world.fills.obtain({ ...ask, size: MIB - 5 }).reader();
    const failing = expect(misled.read(new Uint8Array(10))).rejects.toMatchObject({ code: "size-mismatch" });
    await world.clock.advance(100);
    const right = new SimulatedReader(
      world.clock,
      world.fills.obtain({ ...ask, size: MIB, isSizeSure: true }).reader(),
      world.blob,
      undefined,
      {},
    );
    world.readers.push(right);
    await world.finish(60_000);
    await failing;
    misled.close();
    expect([right.outcome, right.wrongAt]).toEqual(["done", undefined]);
    await world.checkNothingIsLeft();
  });

  test("F5: a reader that leaves ends its own body and nobody else's", async () => {
    const world = new World(4, 2 * MIB);
    const readers = Array.from({ length: 10 }, () => world.join());
    await world.clock.advance(30);
    for (const reader of readers.slice(0, 9)) reader.leave();
    await world.finish(60_000);
    expect(readers.map((reader) => reader.outcome)).toEqual([...Array(9).fill("left"), "done"]);
    expect(world.origin.delivered).toBe(2 * MIB);
    await world.checkNothingIsLeft();
  });

  test("F5: a reader that is closed while it reads gets an error, not bytes", async () => {
    const world = new World(5, MIB);
    world.join();
    await world.clock.advance(60);
    const reader = world.obtain().reader({ start: 0, end: KIB });
    const reading = reader.read(new Uint8Array(KIB));
    reader.close();
    const answer = expect(reading).rejects.toMatchObject({ code: "closed" });
    await world.clock.advance(5);
    await answer;
  });

  test("F9: at every instant of a fill the digest is found in the map or in the store", async () => {
    const world = new World(6, MIB);
    const reader = world.join();
    for (let ms = 0; ms < 3_000; ms++) {
      const isFound = world.fill() !== undefined || world.store.blobs.has(world.digest);
      expect(isFound).toBe(true);
      if (world.recorded.length > 0) expect(world.store.blobs.has(world.digest)).toBe(true);
      await world.clock.advance(1);
    }
    expect(reader.outcome).toBe("done");
    expect(world.recorded).toEqual([world.digest]);
    await world.checkNothingIsLeft();
  });

  test("F9: a blob that was committed between look-up and obtain is read from the store, and closed", async () => {
    const world = new World(7, MIB);
    world.join();
    await world.finish(60_000);
    await world.checkNothingIsLeft();
    const late = world.join();
    await world.finish(1_000);
    expect(late.outcome).toBe("done");
    expect(world.origin.delivered).toBe(MIB);
    await world.checkNothingIsLeft();
  });

  test("F9: when the blob cannot be adopted, readers finish, new ones too, and the partial is kept", async () => {
    const world = new World(8, MIB);
    world.store.failingAdoptions = 1;
    const slow = world.join(undefined, { pauseMs: 200 });
    await world.clock.advance(1_000);
    const late = world.join();
    await world.finish(60_000);
    expect([slow.outcome, late.outcome]).toEqual(["done", "done"]);
    await world.clock.advance(10_000);
    expect(world.store.savedOf(world.blob)?.ranges).toEqual([{ start: 0, end: MIB }]);
    const again = world.join();
    await world.finish(60_000);
    expect(again.outcome).toBe("done");
    expect(world.store.blobs.has(world.digest)).toBe(true);
    expect(world.origin.delivered).toBe(MIB);
    await world.checkNothingIsLeft();
  });

  test("F9: a blob that was adopted and could not be recorded is served from the store", async () => {
    const world = new World(9, MIB);
    world.failingRecords = 1;
    const reader = world.join(undefined, { pauseMs: 100 });
    await world.finish(60_000);
    const late = world.join();
    await world.finish(60_000);
    expect([reader.outcome, late.outcome]).toEqual(["done", "done"]);
    expect(world.origin.delivered).toBe(MIB);
    expect(world.store.saved.size).toBe(0);
    await world.checkNothingIsLeft();
  });

  test("F9: a drain during the verdict waits for it", async () => {
    const world = new World(10, MIB);
    world.join();
    while (world.fill()?.facts.state !== "verifying") await world.clock.advance(1);
    const drained = world.fills.drain(10_000);
    await world.clock.advance(1_000);
    await drained;
    expect(world.store.blobs.has(world.digest)).toBe(true);
    expect(world.recorded).toEqual([world.digest]);
  });

  test("a drain keeps what is there, and its readers hear that the cache closes", async () => {
    const world = new World(11, 8 * MIB);
    const reader = world.join();
    await world.clock.advance(100);
    const drained = world.fills.drain(10_000);
    await world.clock.advance(200);
    await drained;
    expect(reader.error).toMatchObject({ code: "closed" });
    expect(world.fills.status()).toEqual([]);
    const kept = world.store.savedOf(world.blob)?.ranges ?? [];
    expect(kept.reduce((sum, { start, end }) => sum + end - start, 0)).toBeGreaterThan(0);
    await world.checkNothingIsLeft();
  });
});
