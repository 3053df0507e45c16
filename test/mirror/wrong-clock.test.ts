/** Shows that a clock which was wrong, or is, makes nothing young, immortal or negative. */
import { readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MiB, type MirrorWorld, startWorld } from "../support/mirror-world.ts";
import { digestOfPattern } from "../support/pattern.ts";
import { owned, put } from "../support/temp-store.ts";

const YEAR_MS = 365 * 24 * 3600_000;
const HOUR_MS = 3600_000;
const LIFETIME_MS = 600_000;

/** `a/b:1`, pulled while the clock was wrong by `wrongMs`; then it is set right, and nothing was asked since. */
async function worldPulledAt(wrongMs: number) {
  const world = await startWorld();
  world.clock.setByMs = wrongMs;
  const image = world.fake.addImage("a/b", "1", { layers: [100] });
  await world.get("a/b", "1");
  world.clock.setByMs = 0;
  world.fake.forgetRequests();
  return { world, image };
}

const WRONG = [
  ["a year ahead", YEAR_MS],
  ["an hour ahead", HOUR_MS],
  ["30 years behind", -30 * YEAR_MS],
] as const;

describe.each(WRONG)("a tag that was recorded while the clock was %s", (_, wrongMs) => {
  it.each(["in the same process", "over a restart"])(
    "is asked for again at once, and then believed (%s)",
    async (when) => {
      const { world } = await worldPulledAt(wrongMs);
      if (when === "over a restart") await world.restart();
      expect(await world.get("a/b", "1")).toMatchObject({
        outcome: "revalidated",
        ageMs: expect.any(Number),
      });
      expect((await world.get("a/b", "1")).outcome).toBe("hit");
      expect(world.fake.matching({ kind: "manifest" }).map(({ method }) => method)).toEqual(["HEAD"]);
    },
  );

  it("is still served while the registry is away, with an age that is not negative", async () => {
    const { world, image } = await worldPulledAt(wrongMs);
    await world.restart(() => world.fake.pause());
    for (const answer of [await world.get("a/b", "1"), await world.head("a/b", "1")]) {
      expect(answer.outcome).toBe("stale");
      expect(answer.ageMs).toBeGreaterThanOrEqual(0);
      expect(answer.warning).toMatch(
        wrongMs > 0 ? /checked at a time in the future \(the clock was wrong\)/ : /checked \d+.* ago/,
      );
      expect(answer.warning).not.toContain("-");
    }
    expect((await world.get("a/b", image.manifestDigest)).outcome).toBe("hit");
  });
});

it.each([-HOUR_MS, -YEAR_MS, HOUR_MS])(
  "a date that is set by %d ms costs a stored tag one HEAD",
  async (byMs) => {
    const { world } = await worldPulledAt(0);
    expect((await world.get("a/b", "1")).outcome).toBe("hit");
    world.clock.setByMs = byMs;
    for (let pass = 0; pass < 3; pass++) await world.get("a/b", "1");
    expect(world.fake.matching({ kind: "manifest" }).map(({ method }) => method)).toEqual(["HEAD"]);
  },
);

it("a date that is set back again and again does not keep a tag young", async () => {
  const { world } = await worldPulledAt(0);
  for (let minute = 0; minute < 10; minute++) {
    world.clock.aheadMs += 60_001;
    world.clock.setByMs -= 60_000;
  }
  expect((await world.get("a/b", "1")).outcome).toBe("revalidated");
  expect(world.clock.aheadMs).toBeGreaterThan(LIFETIME_MS);
});

describe("a blob that was used while the clock was a year ahead", () => {
  it.each(["in the same process", "over a restart"])(
    "goes when it is the least recently used (%s)",
    async (when) => {
      const world = await startWorld({ budget: { maxSize: 3.5 * MiB, minFree: 0 } });
      world.clock.setByMs = YEAR_MS;
      const future = await pulled(world, 1);
      world.clock.setByMs = 0;
      if (when === "over a restart") await world.restart();
      const [second, third] = [await pulled(world, 2), await pulled(world, 3)];
      await pulled(world, 4);
      expect(await outcomes(world, [future, second, third])).toEqual(["miss", "hit", "hit"]);
    },
  );
});

it("a part of a blob that was written while the clock was ahead does not stay for ever", async () => {
  const world = await startWorld({
    budget: { maxSize: 3.5 * MiB, minFree: 0 },
    before: async (store) => {
      const partial = await store.spool.openPartial(owned(digestOfPattern(50, 3 * MiB)), 3 * MiB);
      await put(partial, 50, { start: 0, end: 2 * MiB });
      await partial.checkpoint();
      await partial.close();
      const folder = store.layout.partialsOf("sha256");
      const ahead = (Date.now() + YEAR_MS) / 1000;
      for (const name of await readdir(folder)) await utimes(join(folder, name), ahead, ahead);
    },
  });
  const [first, second] = [await pulled(world, 1), await pulled(world, 2)];
  expect(await outcomes(world, [first, second])).toEqual(["hit", "hit"]);
  expect(await world.store.spool.list()).toEqual([]);
});

it("blobs go in the order of their uses also when the clock falls back by years between them", async () => {
  const world = await startWorld({ budget: { maxSize: 3.5 * MiB, minFree: 0 } });
  const [first, second] = [await pulled(world, 1), await pulled(world, 2)];
  world.clock.setByMs = -30 * YEAR_MS;
  const third = await pulled(world, 3);
  await world.read("a/b", first);
  await pulled(world, 4);
  expect(await outcomes(world, [first, second, third])).toEqual(["hit", "miss", "hit"]);
});

async function pulled(world: MirrorWorld, seed: number): Promise<string> {
  const digest = world.fake.addGeneratedBlob({ seed, size: MiB }, "a/b");
  await world.read("a/b", digest);
  await world.fills(0);
  world.clock.aheadMs += 2_000;
  return digest;
}

async function outcomes(world: MirrorWorld, digests: readonly string[]): Promise<string[]> {
  const found = [];
  for (const digest of digests) found.push((await world.stat("a/b", digest)).outcome);
  return found;
}
