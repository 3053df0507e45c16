/** Shows that what a keep rule stands for stays, whatever else must go, and that nothing else is kept with it. */
import { describe, expect, it } from "vitest";
import type { Digest } from "../../../src/oci/digest.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../../support/mirror-world.ts";

const BUDGET = { maxSize: 4 * MiB, minFree: 0 };

/** An image with one layer of a MiB, pulled: its manifest by `tag`, then all of its blobs. */
async function pull(world: MirrorWorld, repository: string, tag: string, seed: number): Promise<Digest> {
  const image = world.fake.addImage(repository, tag, { seed, layers: [MiB - 10_000] });
  await world.get(repository, tag);
  for (const digest of image.layerDigests) await world.read(repository, digest);
  await world.fills(0);
  world.clock.aheadMs += 1_000;
  const [layer] = image.layerDigests;
  if (layer === undefined) throw new Error("no layer");
  return layer;
}

async function isHere(world: MirrorWorld, digest: Digest): Promise<boolean> {
  return (await world.metadata.blob(digest)) !== undefined;
}

describe("a keep rule of the settings", () => {
  it.each([
    ["a tag", `${UPSTREAM}/kept/app:1.*`],
    ["a repository", `${UPSTREAM}/kept/app`],
    ["everything below a name", `${UPSTREAM}/kept/**`],
  ])("for %s keeps its blobs when room is needed, and what was used later goes", async (_, rule) => {
    const world = await startWorld({ budget: BUDGET, keep: [rule] });
    const kept = await pull(world, "kept/app", "1.0", 1);
    const others = [await pull(world, "a/b", "1.0", 20), await pull(world, "a/b", "1.1", 30)];
    for (let seed = 40; seed < 80; seed += 10) await pull(world, "a/b", `2.${seed}`, seed);
    expect(await isHere(world, kept)).toBe(true);
    expect(await Promise.all(others.map((digest) => isHere(world, digest)))).toEqual([false, false]);
  });

  it("for a tag does not keep another tag of the same repository", async () => {
    const world = await startWorld({ budget: BUDGET, keep: [`${UPSTREAM}/kept/app:1.*`] });
    const other = await pull(world, "kept/app", "2.0", 1);
    for (let seed = 40; seed < 80; seed += 10) await pull(world, "a/b", `2.${seed}`, seed);
    expect(await isHere(world, other)).toBe(false);
  });

  it("keeps the layers of an image that an index lists", async () => {
    const world = await startWorld({ budget: BUDGET, keep: [`${UPSTREAM}/kept/app:1.0`] });
    const image = world.fake.addImage("kept/app", undefined, { seed: 1, layers: [MiB - 10_000] });
    world.fake.addIndex("kept/app", "1.0", [{ digest: image.manifestDigest, platform: "linux/amd64" }]);
    await world.get("kept/app", "1.0");
    await world.get("kept/app", image.manifestDigest);
    const [layer = ""] = image.layerDigests;
    await world.read("kept/app", layer);
    for (let seed = 40; seed < 80; seed += 10) await pull(world, "a/b", `2.${seed}`, seed);
    expect((await world.stat("kept/app", layer)).outcome).toBe("hit");
  });

  it("that fills the whole budget makes what is new pass through, and evicts nothing", async () => {
    const world = await startWorld({ budget: BUDGET, keep: [`${UPSTREAM}/kept/**`] });
    const kept: Digest[] = [];
    for (let seed = 10; seed < 50; seed += 10) kept.push(await pull(world, "kept/app", `1.${seed}`, seed));
    await pull(world, "a/b", "2", 60);
    expect(await Promise.all(kept.map((digest) => isHere(world, digest)))).not.toContain(false);
    expect(await world.metric("bypasses_total")).toBeGreaterThan(0);
  });
});
