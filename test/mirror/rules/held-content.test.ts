/** Shows that a tag which is held back always answers with what was known: whatever else needs the room, whoever asks how, and after what. */
import { describe, expect, test } from "vitest";
import { type Digest, digestOf } from "../../../src/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { placeImage, placeIndex } from "../../support/fake-images.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../../support/mirror-world.ts";
import { patternBytes } from "../../support/pattern.ts";

const HOUR_MS = 3_600_000;
const COOLDOWN_MS = 72 * HOUR_MS;
const LIFETIME_MS = 600_000;
const BUDGET = { maxSize: 4 * MiB, minFree: 0 };
const LAYER = MiB - 20_000;

/** `kept/app:1` is an index that was pulled whole; at its registry it has moved since, and the old content is gone there. */
async function worldWithHeldTag() {
  const world = await startWorld({ budget: BUDGET });
  const old = place(world, 1);
  await world.get("kept/app", "1");
  await world.get("kept/app", old.child);
  await world.read("kept/app", old.layer);
  await world.fills(0);
  world.renewPassage({ cooldown: COOLDOWN_MS });
  const moved = place(world, 2);
  world.fake.fail(new RegExp(old.layer), { kind: "status", status: 404 }, { times: 1_000 });
  world.clock.aheadMs += LIFETIME_MS;
  return { world, old, moved };
}

function place({ fake }: MirrorWorld, seed: number) {
  const bytes = patternBytes(seed, 0, LAYER);
  const image = placeImage(fake, "kept/app", undefined, { platform: "linux/amd64", layers: [bytes] });
  const index = placeIndex(fake, "kept/app", "1", [{ ...image, platform: "linux/amd64" }]);
  return { index: index.digest, child: image.digest, layer: digestOf(bytes) };
}

/** Needs all of the budget. */
async function pullOthers(world: MirrorWorld, from: number): Promise<void> {
  for (let seed = from; seed < from + 5; seed++) {
    world.renewPassage({});
    const image = world.fake.addImage("a/b", `${seed}`, { seed: seed * 100, layers: [LAYER] });
    await world.get("a/b", `${seed}`);
    world.renewPassage({ cooldown: COOLDOWN_MS });
    for (const digest of image.layerDigests) await world.read("a/b", digest);
    await world.fills(0);
    world.clock.aheadMs += 1_000;
  }
}

async function isHere(world: MirrorWorld, digest: Digest): Promise<boolean> {
  return (await world.metadata.blob(digest)) !== undefined;
}

describe("what a tag stands for while its new digest has to wait", () => {
  test("is not evicted, also after a restart, and goes like all else once the new one passes", async () => {
    const { world, old, moved } = await worldWithHeldTag();
    expect((await world.get("kept/app", "1")).manifest.digest).toBe(old.index);
    await pullOthers(world, 10);
    await world.restart();
    await pullOthers(world, 20);
    expect(await isHere(world, old.layer)).toBe(true);
    expect((await world.get("kept/app", "1")).manifest.digest).toBe(old.index);
    expect((await world.get("kept/app", old.child)).manifest.digest).toBe(old.child);
    expect(await world.read("kept/app", old.layer)).toHaveLength(LAYER);
    world.clock.aheadMs += COOLDOWN_MS;
    await pullOthers(world, 30);
    expect(await isHere(world, old.layer)).toBe(false);
    expect((await world.get("kept/app", "1")).manifest.digest).toBe(moved.index);
  });

  test("is evicted once a person lets the new one through, or there is no cooldown any more", async () => {
    const { world, old, moved } = await worldWithHeldTag();
    await world.get("kept/app", "1");
    await world.mirror.passage.approve(`${UPSTREAM}/kept/app:1`, false);
    expect((await world.get("kept/app", "1")).manifest.digest).toBe(moved.index);
    await pullOthers(world, 10);
    expect(await isHere(world, old.layer)).toBe(false);
  });

  test("is what every way of asking gets", async () => {
    const { world, old, moved } = await worldWithHeldTag();
    for (const accept of [[], [OCI_INDEX, OCI_MANIFEST], [OCI_MANIFEST, OCI_INDEX, "*/*"]]) {
      const head = await world.head("kept/app", "1", { accept });
      const get = await world.get("kept/app", "1", { accept });
      expect([head.digest, get.manifest.digest]).toEqual([old.index, old.index]);
      expect(head.warning).toMatch(/^held back: /);
      world.clock.aheadMs += LIFETIME_MS;
    }
    expect((await world.get("kept/app", old.index)).manifest.digest).toBe(old.index);
    for (const digest of [moved.index, moved.child])
      for (const ask of [() => world.get("kept/app", digest), () => world.head("kept/app", digest)])
        await expect(ask()).rejects.toMatchObject({ code: "denied" });
    await expect(world.read("kept/app", moved.layer)).rejects.toMatchObject({ code: "denied" });
  });

  test("is what is served after a refresh, and while the upstream is switched off", async () => {
    const { world, old } = await worldWithHeldTag();
    await world.mirror.contents.refresh(`${UPSTREAM}/kept/app:1`, false);
    expect((await world.get("kept/app", "1")).manifest.digest).toBe(old.index);
    await world.mirror.offline.set(true, UPSTREAM, false);
    world.clock.aheadMs += LIFETIME_MS;
    expect((await world.get("kept/app", "1")).manifest.digest).toBe(old.index);
    await world.mirror.offline.set(false, UPSTREAM, false);
  });

  test("can be removed by a person: then the tag is new, and says when it will pass", async () => {
    const { world, moved } = await worldWithHeldTag();
    await world.get("kept/app", "1");
    await world.mirror.contents.remove(`${UPSTREAM}/kept/app`, {});
    await expect(world.get("kept/app", "1")).rejects.toMatchObject({
      code: "denied",
      message: expect.stringMatching(/is held back: .* passes at 2\d{3}-.*granary approve/),
    });
    world.clock.aheadMs += COOLDOWN_MS;
    expect((await world.get("kept/app", "1")).manifest.digest).toBe(moved.index);
  });
});

test("what passes by now is held back no more, also before somebody asks for it", async () => {
  const { world } = await worldWithHeldTag();
  await world.get("kept/app", "1");
  expect(await world.mirror.passage.heldBack()).toHaveLength(1);
  world.clock.aheadMs += COOLDOWN_MS;
  expect(await world.mirror.passage.heldBack()).toEqual([]);
});
