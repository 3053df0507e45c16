/** Shows what waits under a cooldown, what is served meanwhile, and when it passes: by time, by a person, by what it is part of. */
import { describe, expect, test } from "vitest";
import { OCI_INDEX, OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { placeImage, placeIndex } from "../../support/fake-images.ts";
import { type MirrorWorld, startWorld } from "../../support/mirror-world.ts";

const HOUR_MS = 3_600_000;
const LIFETIME_MS = 600_000;
const COOLDOWN_MS = 72 * HOUR_MS;
const passage = { cooldown: COOLDOWN_MS };
const refused = { code: "denied" };
const WARNING = /^held back: fake\.test names sha256:[0-9a-f]{64} for this tag, first seen here /;

/** `a/b:1` was pulled before there was a cooldown, and has moved since. */
async function worldWithMovedTag(options: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld(options);
  const old = world.fake.addImage("a/b", "1", { layers: [100] });
  await world.get("a/b", "1");
  world.renewPassage(passage);
  const moved = world.fake.addImage("a/b", "1", { layers: [200], seed: 7 });
  world.clock.aheadMs += LIFETIME_MS;
  return { world, old, moved };
}

async function heldNames(world: MirrorWorld): Promise<string[]> {
  return (await world.mirror.passage.heldBack()).map(({ name }) => name);
}

describe("a tag that moved", () => {
  test.each(["plain", "ollama", "hub"] as const)(
    "stays on what was known, for HEAD and GET (%s)",
    async (mode) => {
      const { world, old, moved } = await worldWithMovedTag({ mode });
      const head = await world.head("a/b", "1");
      expect(head).toMatchObject({ digest: old.manifestDigest, outcome: "revalidated" });
      expect(head.warning).toMatch(WARNING);
      for (let pass = 0; pass < 2; pass++) {
        expect((await world.get("a/b", "1")).manifest.digest).toBe(old.manifestDigest);
      }
      expect(await world.read("a/b", old.layerDigests[0] ?? "")).toHaveLength(100);
      expect(await world.mirror.passage.heldBack()).toMatchObject([
        { name: "fake.test/a/b:1", oldDigest: old.manifestDigest, newDigest: moved.manifestDigest },
      ]);
    },
  );

  test("what is held back does not come in by its digest, nor do its parts", async () => {
    const { world, moved } = await worldWithMovedTag();
    await world.get("a/b", "1");
    world.fake.forgetRequests();
    await expect(world.get("a/b", moved.manifestDigest)).rejects.toMatchObject(refused);
    await expect(world.head("a/b", moved.manifestDigest)).rejects.toMatchObject(refused);
    await expect(world.read("a/b", moved.layerDigests[0] ?? "")).rejects.toMatchObject(refused);
    await expect(world.stat("a/b", moved.layerDigests[0] ?? "")).rejects.toMatchObject(refused);
    expect(world.fake.requests).toEqual([]);
  });

  test("passes when it was seen for long enough, also over a restart", async () => {
    const { world, old, moved } = await worldWithMovedTag();
    await world.get("a/b", "1");
    world.clock.aheadMs += COOLDOWN_MS / 2;
    await world.restart();
    expect((await world.get("a/b", "1")).manifest.digest).toBe(old.manifestDigest);
    world.clock.aheadMs += COOLDOWN_MS / 2;
    const answer = await world.get("a/b", "1");
    expect(answer).toMatchObject({
      outcome: "miss",
      warning: undefined,
      manifest: { digest: moved.manifestDigest },
    });
    expect(await world.read("a/b", moved.layerDigests[0] ?? "")).toHaveLength(200);
    expect(await heldNames(world)).toEqual([]);
    // And back: that was served here before.
    world.fake.moveTag("a/b", "1", old.manifestDigest);
    world.clock.aheadMs += LIFETIME_MS;
    expect((await world.get("a/b", "1")).manifest.digest).toBe(old.manifestDigest);
  });

  test("waits anew when it moves again meanwhile", async () => {
    const { world, old } = await worldWithMovedTag();
    await world.get("a/b", "1");
    world.clock.aheadMs += COOLDOWN_MS - HOUR_MS;
    const third = world.fake.addImage("a/b", "1", { layers: [300], seed: 9 });
    expect((await world.get("a/b", "1")).manifest.digest).toBe(old.manifestDigest);
    world.clock.aheadMs += 2 * HOUR_MS;
    expect((await world.get("a/b", "1")).manifest.digest).toBe(old.manifestDigest);
    expect(await world.mirror.passage.heldBack()).toMatchObject([{ newDigest: third.manifestDigest }]);
    world.clock.aheadMs += COOLDOWN_MS;
    expect((await world.get("a/b", "1")).manifest.digest).toBe(third.manifestDigest);
  });

  test("a date that is set ahead lets nothing through, nor does one that was wrong hold it for ever", async () => {
    const { world, old, moved } = await worldWithMovedTag();
    await world.get("a/b", "1");
    world.clock.setByMs = 10 * COOLDOWN_MS;
    expect((await world.get("a/b", "1")).manifest.digest).toBe(old.manifestDigest);
    world.clock.setByMs = 0;
    world.clock.aheadMs += COOLDOWN_MS;
    expect((await world.get("a/b", "1")).manifest.digest).toBe(moved.manifestDigest);
  });

  test("a person lets it through at once, and nothing else", async () => {
    const { world, old, moved } = await worldWithMovedTag();
    await world.get("a/b", "1");
    world.fake.addImage("a/b", "2", { layers: [400], seed: 11 });
    await expect(world.get("a/b", "2")).rejects.toMatchObject(refused);
    const trial = await world.mirror.passage.approve("fake.test/a/b:1", true);
    expect(trial).toMatchObject([{ name: "fake.test/a/b:1", newDigest: moved.manifestDigest }]);
    expect((await world.get("a/b", "1")).manifest.digest).toBe(old.manifestDigest);
    expect(await world.mirror.passage.approve("fake.test/a/b:1", false)).toEqual(trial);
    expect((await world.get("a/b", "1")).manifest.digest).toBe(moved.manifestDigest);
    expect(await heldNames(world)).toEqual(["fake.test/a/b:2"]);
    await world.restart();
    expect((await world.get("a/b", moved.manifestDigest)).manifest.digest).toBe(moved.manifestDigest);
  });

  test("stays on what was known while its upstream is away, and while no cooldown is set it moves", async () => {
    const { world, old, moved } = await worldWithMovedTag();
    await world.get("a/b", "1");
    world.clock.aheadMs += LIFETIME_MS;
    await world.fake.pause();
    expect(await world.get("a/b", "1")).toMatchObject({
      outcome: "stale",
      manifest: { digest: old.manifestDigest },
    });
    await world.fake.resume();
    world.renewPassage({});
    world.clock.aheadMs += LIFETIME_MS;
    expect((await world.get("a/b", "1")).manifest.digest).toBe(moved.manifestDigest);
  });
});

describe("what is new", () => {
  test("is refused until it was seen for long enough: with the reason, until when, and what to do", async () => {
    const world = await startWorld({ passage });
    const image = world.fake.addImage("a/b", "1", { layers: [100] });
    for (const ask of [() => world.get("a/b", "1"), () => world.head("a/b", "1")]) {
      await expect(ask()).rejects.toMatchObject({
        code: "denied",
        message: expect.stringMatching(
          /^fake\.test\/a\/b:1 is held back: sha256:\w+ was first seen here .* ago and passes at 2\d{3}-.*\(upstreams\.fake\.test\.cooldown\); "granary approve fake\.test\/a\/b:1" lets it through now\.$/,
        ),
      });
    }
    expect(world.fake.matching({ kind: "manifest" }).every(({ method }) => method === "HEAD")).toBe(true);
    world.clock.aheadMs += COOLDOWN_MS;
    expect((await world.get("a/b", "1")).manifest.digest).toBe(image.manifestDigest);
    expect(await world.read("a/b", image.layerDigests[0] ?? "")).toHaveLength(100);
  });

  test("by its digest waits too, and passes with all that it lists", async () => {
    const world = await startWorld({ passage });
    const child = placeImage(world.fake, "a/b", undefined, {
      platform: "linux/amd64",
      layers: [Buffer.alloc(9)],
    });
    const index = placeIndex(world.fake, "a/b", undefined, [{ ...child, platform: "linux/amd64" }]);
    await expect(world.get("a/b", index.digest)).rejects.toMatchObject(refused);
    await expect(world.get("a/b", index.digest)).rejects.toMatchObject(refused);
    expect(await heldNames(world)).toEqual([`fake.test/a/b@${index.digest}`]);
    await expect(world.get("a/b", `sha256:${"0".repeat(64)}`)).rejects.toMatchObject({ code: "not-found" });
    await world.mirror.passage.approve(`fake.test/a/b@${index.digest}`, false);
    await world.get("a/b", index.digest);
    await world.get("a/b", child.digest);
  });

  test("for clients that take one platform, what the served index lists is not new", async () => {
    const world = await startWorld({ settings: { acceptRules: true } });
    const { fake } = world;
    const child = placeImage(fake, "a/b", undefined, { platform: "linux/amd64", layers: [Buffer.alloc(9)] });
    placeIndex(fake, "a/b", "1", [{ ...child, platform: "linux/amd64" }]);
    await world.get("a/b", "1", { accept: [OCI_INDEX, OCI_MANIFEST] });
    world.renewPassage(passage);
    const own = await world.get("a/b", "1", { accept: [OCI_MANIFEST] }).catch((error: unknown) => error);
    expect(own).not.toMatchObject(refused);
  });

  test("signatures of what passes are not held back", async () => {
    const world = await startWorld();
    const image = world.fake.addImage("a/b", "1", { layers: [100] });
    await world.get("a/b", "1");
    world.renewPassage(passage);
    const tag = `${image.manifestDigest.replace(":", "-")}.sig`;
    const signature = world.fake.addImage("a/b", tag, { layers: [5] });
    expect((await world.get("a/b", tag)).manifest.digest).toBe(signature.manifestDigest);
  });
});

test("approving what nobody holds back says what is held back", async () => {
  const world = await startWorld({ passage });
  world.fake.addImage("a/bcd", "1", { layers: [100] });
  await expect(world.get("a/bcd", "1")).rejects.toMatchObject(refused);
  await expect(world.mirror.passage.approve("fake.test/a/bcc:1", false)).rejects.toMatchObject({
    code: "not-found",
    message: expect.stringContaining("fake.test/a/bcd:1"),
  });
});
