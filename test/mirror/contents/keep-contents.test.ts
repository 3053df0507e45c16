/** Shows keep rules that are made by command: what they hold, over a restart, and which can never be. */
import { expect, it } from "vitest";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../../support/mirror-world.ts";

const of = (name: string) => `${UPSTREAM}/${name}`;

async function pull(world: MirrorWorld, repository: string, seed: number, size = MiB - 10_000) {
  const image = world.fake.addImage(repository, "1", { seed, layers: [size] });
  await world.get(repository, "1");
  for (const digest of image.layerDigests) await world.read(repository, digest);
  await world.fills(0);
  world.clock.aheadMs += 1_000;
  return image.layerDigests[0] ?? image.configDigest;
}

it("a rule holds at once, over a restart, and until it is taken back", async () => {
  const world = await startWorld({ budget: { maxSize: 4 * MiB, minFree: 0 } });
  const kept = await pull(world, "a/kept", 1);
  expect(await world.mirror.contents.keep(of("a/kept"), true)).toMatchObject({ names: 1 });
  expect(await world.mirror.contents.keepRules()).toEqual([]);
  await world.mirror.contents.keep(of("a/kept"), false);
  await world.restart();
  for (let seed = 10; seed < 60; seed += 10) await pull(world, `a/r${seed}`, seed);
  expect(await world.metadata.blob(kept)).toBeDefined();
  await world.mirror.contents.unkeep(of("a/kept"), false);
  for (let seed = 60; seed < 110; seed += 10) await pull(world, `a/r${seed}`, seed);
  expect(await world.metadata.blob(kept)).toBeUndefined();
});

it("a rule for more than the budget is refused with both numbers, and nothing is kept", async () => {
  const world = await startWorld({ budget: { maxSize: 4 * MiB, minFree: 0 } });
  const image = world.fake.addImage("a/huge", "1", { seed: 1, layers: [5 * MiB] });
  await world.get("a/huge", "1");
  await pull(world, "a/b", 20);
  await expect(world.mirror.contents.keep(of("a/huge"), false)).rejects.toMatchObject({
    code: "store-full",
    message: expect.stringMatching(/stands for 5(\.0)? MiB.*the budget is 4(\.0)? MiB/),
  });
  expect(await world.mirror.contents.keepRules()).toEqual([]);
  expect(image.layerDigests).toHaveLength(1);
});

it("a rule for what is not stored yet is taken, and holds it when it comes; one of the settings is taken back there", async () => {
  const world = await startWorld({ budget: { maxSize: 4 * MiB, minFree: 0 }, keep: [of("b/**")] });
  expect(await world.mirror.contents.keep(of("a/later"), false)).toMatchObject({ names: 0 });
  const kept = await pull(world, "a/later", 1);
  for (let seed = 10; seed < 60; seed += 10) await pull(world, `a/r${seed}`, seed);
  expect(await world.metadata.blob(kept)).toBeDefined();
  await expect(world.mirror.contents.unkeep(of("b/**"), false)).rejects.toMatchObject({ code: "denied" });
  await expect(world.mirror.contents.unkeep(of("a/latter"), false)).rejects.toMatchObject({
    code: "not-found",
  });
});

it("a kept repository that grows above the budget is told in the status, pulls go on, and that is over when less is kept", async () => {
  const world = await startWorld({ budget: { maxSize: 4 * MiB, minFree: 0 } });
  const troubles = async () =>
    (await world.mirror.status()).troubles.filter((text) => text.includes("keep rules"));
  await world.mirror.contents.keep(of("a/grows"), false);
  for (let seed = 10; seed < 40; seed += 10) await pull(world, "a/grows", seed);
  expect(await troubles()).toEqual([]);
  const image = world.fake.addImage("a/other", "1", { seed: 90, layers: [2 * MiB] });
  await world.get("a/other", "1");
  expect((await world.read("a/other", image.layerDigests[0] ?? image.configDigest)).length).toBe(2 * MiB);
  expect(await troubles()).toEqual([
    expect.stringMatching(
      /^What keep rules stand for.* take .* MiB of the budget of 4(\.0)? MiB: there is no room/,
    ),
  ]);
  await world.mirror.contents.unkeep(of("a/grows"), false);
  expect(await troubles()).toEqual([]);
});
