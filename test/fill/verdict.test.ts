/** F10 and F18: what a digest mismatch means, and that no whole reader ever finishes a wrong blob. */
import { describe, expect, test } from "vitest";
import { keyOf } from "../simulation/memory-spool.ts";
import { World } from "../simulation/world.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** A world whose saved partial claims `[0, present)` and holds one wrong byte there. */
function withDoubtfulPartial(seed: number, size: number, present: number): World {
  const world = new World(seed, size, { smallBlob: 0 });
  const bytes = Buffer.alloc(size, 0xaa);
  world.store.saved.set(keyOf(world.blob), {
    bytes,
    ranges: present > 0 ? [{ start: 0, end: present }] : [],
  });
  return world;
}

describe("the verdict", () => {
  test("F10: a mismatch on a fresh fill fails its readers, strikes the origin and keeps nothing", async () => {
    const world = new World(1, MIB);
    world.origin.weather.corrupt = 1;
    const readers = [world.join(), world.join()];
    await world.finish(60_000);
    for (const reader of readers) expect(reader.error).toMatchObject({ code: "digest-mismatch" });
    expect(world.origin.strikes).toBe(1);
    expect(world.store.saved.size + world.store.blobs.size).toBe(0);
    await world.checkNothingIsLeft();
  });

  test("F10: after a rejected fill the next one starts from nothing and can succeed", async () => {
    const world = new World(2, MIB);
    world.origin.weather.corrupt = 1;
    world.join();
    await world.finish(60_000);
    world.origin.weather.corrupt = 0;
    const next = world.join();
    await world.finish(60_000);
    expect(next.outcome).toBe("done");
    expect(next.wrongAt).toBeUndefined();
  });

  test("F10: a mismatch after a resume discards and refills once; who was given nothing gets the right bytes", async () => {
    const world = withDoubtfulPartial(3, 40 * KIB, 10 * KIB);
    const reader = world.join();
    await world.finish(60_000);
    expect(reader.error).toBeUndefined();
    expect(reader.outcome).toBe("done");
    expect(reader.wrongAt).toBeUndefined();
    expect(world.store.discards).toBe(1);
    expect(world.origin.strikes).toBe(0);
    await world.checkNothingIsLeft();
  });

  test("F10: who was given doubtful bytes before the refill fails, at whatever moment it read them", async () => {
    // The instant of the first read is swept over the moment of the verdict: a read in flight counts as given.
    for (let ms = 0; ms < 60; ms++) {
      const world = withDoubtfulPartial(4, 300 * KIB, 200 * KIB);
      const first = world.join();
      await world.clock.advance(ms);
      const late = world.join();
      await world.finish(60_000);
      for (const reader of [first, late]) {
        if (reader.outcome === "done") expect(reader.wrongAt).toBeUndefined();
        else expect(reader.error).toMatchObject({ code: "digest-mismatch" });
      }
      const next = world.join();
      await world.finish(60_000);
      expect(next).toMatchObject({ outcome: "done", wrongAt: undefined });
      await world.checkNothingIsLeft();
    }
  });

  test("F10: a mismatch of the refill itself is a fresh one", async () => {
    const world = withDoubtfulPartial(5, 40 * KIB, 10 * KIB);
    world.origin.weather.corrupt = 1;
    const reader = world.join();
    await world.finish(60_000);
    expect(reader.error).toMatchObject({ code: "digest-mismatch" });
    expect(world.origin.strikes).toBe(1);
    expect(world.store.discards).toBe(2);
    await world.checkNothingIsLeft();
  });

  test("F10: a stop during the refill leaves nothing open", async () => {
    for (let ms = 0; ms < 40; ms++) {
      const world = withDoubtfulPartial(6, 40 * KIB, 40 * KIB);
      const reader = world.join();
      await world.clock.advance(ms);
      const drained = world.fills.drain(20_000);
      await world.clock.advance(20_000);
      await drained;
      expect(world.fills.status()).toEqual([]);
      expect(reader.outcome).not.toBe("reading");
      await world.checkNothingIsLeft();
    }
  });

  test("F10: a process that stops waits for the verdict, and does not begin the refill", async () => {
    const world = withDoubtfulPartial(11, 8 * MIB, 8 * MIB);
    world.join({ start: 0, end: 1 });
    while (world.fill()?.facts.state !== "verifying") await world.clock.advance(1);
    let isDrained = false;
    const drained = world.fills.drain(10_000).then(() => {
      isDrained = true;
    });
    await world.clock.advance(200);
    expect(isDrained).toBe(true);
    await drained;
    expect(world.origin.requests).toBe(0);
    expect(world.store.saved.size).toBe(0);
    expect(world.origin.strikes).toBe(0);
    await world.checkNothingIsLeft();
  });

  test("F18: a whole reader of a corrupt blob never gets its last bytes", async () => {
    const world = new World(7, MIB);
    world.origin.weather.corrupt = 1;
    const reader = world.join();
    await world.finish(60_000);
    expect(reader.at).toBe(MIB - 64 * KIB);
    expect(reader.error).toMatchObject({ code: "digest-mismatch" });
  });

  test("F18: a small blob is held back as a whole", async () => {
    const world = new World(8, 100);
    world.origin.weather.corrupt = 1;
    const reader = world.join();
    await world.finish(60_000);
    expect(reader.at).toBe(0);
  });

  test("F18: ranged readers are not held back, not even at the end of the blob", async () => {
    const world = new World(9, 64 * MIB);
    const tail = world.join({ start: 64 * MIB - 100, end: 64 * MIB });
    await world.clock.advance(100);
    expect(tail.outcome).toBe("done");
    expect(world.fill()?.facts.state).toBe("filling");
  });

  test("F18: the last bytes leave when the digest is known, before the sync and rename are over", async () => {
    const world = new World(10, MIB);
    const reader = world.join();
    while (reader.outcome === "reading") await world.clock.advance(1);
    expect(reader.outcome).toBe("done");
    expect(world.store.blobs.has(world.digest)).toBe(false);
    await world.checkNothingIsLeft();
    expect(world.store.blobs.has(world.digest)).toBe(true);
  });
});
