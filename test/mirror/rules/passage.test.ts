/** Shows which names pass: what is denied, what is allowed, digests that lead elsewhere, lists, restarts, and rules made by command. */
import { describe, expect, test } from "vitest";
import { OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { placeImage, placeIndex } from "../../support/fake-images.ts";
import { type MirrorWorld, startWorld } from "../../support/mirror-world.ts";

const refused = { code: "denied" };

/** Everything that a client can ask of an image. */
async function expectRefused(
  world: MirrorWorld,
  repository: string,
  tag: string,
  digest: string,
  blob: string,
) {
  world.fake.forgetRequests();
  await expect(world.get(repository, tag)).rejects.toMatchObject(refused);
  await expect(world.head(repository, tag)).rejects.toMatchObject(refused);
  await expect(world.get(repository, digest)).rejects.toMatchObject(refused);
  await expect(world.head(repository, digest)).rejects.toMatchObject(refused);
  await expect(world.read(repository, blob)).rejects.toMatchObject(refused);
  await expect(world.stat(repository, blob)).rejects.toMatchObject(refused);
  await expect(world.referrers(repository, digest)).rejects.toMatchObject(refused);
  expect(world.fake.requests, "nothing was asked of the registry").toEqual([]);
}

describe("a repository that is denied", () => {
  test("gives nothing, stored or not, and its registry is not asked", async () => {
    const world = await startWorld();
    const image = world.fake.addImage("evil/app", "1", { layers: [100] });
    const [layer = ""] = image.layerDigests;
    await world.get("evil/app", "1");
    await world.read("evil/app", layer);
    world.renewPassage({ deny: ["evil/**"] });
    await expectRefused(world, "evil/app", "1", image.manifestDigest, layer);
    await expect(world.tags("evil/app")).rejects.toMatchObject(refused);
    expect(world.fake.requests).toEqual([]);
    await expect(world.get("evil/app", "1")).rejects.toThrow(
      "fake.test/evil/app:1 may not pass this mirror: fake.test/evil/** is denied (in the settings).",
    );
  });

  test("its content passes by an allowed name of its own", async () => {
    const world = await startWorld();
    const image = world.fake.addImage("evil/app", "1", { layers: [100], seed: 3 });
    world.fake.addImage("good/app", "1", { layers: [100], seed: 3 });
    const [layer = ""] = image.layerDigests;
    await world.get("evil/app", "1");
    world.renewPassage({ deny: ["evil/**"] });
    expect((await world.get("good/app", image.manifestDigest)).manifest.digest).toBe(image.manifestDigest);
    expect(await world.read("good/app", layer)).toHaveLength(100);
    await expect(world.get("evil/app", image.manifestDigest)).rejects.toMatchObject(refused);
  });
});

describe("a tag that is denied", () => {
  test("is refused with what only it leads to; other tags of the repository pass, with what they share", async () => {
    const world = await startWorld({ passage: { deny: ["a/b:1.*"] } });
    const old = world.fake.addImage("a/b", "1.0", { layers: [100, 200] });
    const now = world.fake.addImage("a/b", "2.0", { layers: [100, 300] });
    await expect(world.get("a/b", "1.0")).rejects.toMatchObject(refused);
    expect(world.fake.requests).toEqual([]);
    await world.get("a/b", "2.0");
    for (const layer of now.layerDigests) await world.read("a/b", layer);
    // It was pulled before somebody denied it.
    world.renewPassage({});
    await world.get("a/b", "1.0");
    world.renewPassage({ deny: ["a/b:1.*"] });
    const [, own = ""] = old.layerDigests;
    await expectRefused(world, "a/b", "1.0", old.manifestDigest, own);
    expect((await world.tags("a/b")).body).toBe('{"name":"a/b","tags":["2.0"]}');
    await world.restart();
    await expectRefused(world, "a/b", "1.0", old.manifestDigest, own);
    for (const layer of now.layerDigests) await world.read("a/b", layer);
  });
});

describe("a tag that is denied while other rules stand", () => {
  /** containerd and Docker: HEAD of the tag, then everything by digest. */
  async function pulled(world: MirrorWorld, tag: string) {
    const { fake } = world;
    const child = placeImage(fake, "a/b", undefined, {
      platform: "linux/amd64",
      layers: [Buffer.alloc(100, 7)],
    });
    const index = placeIndex(fake, "a/b", tag, [{ ...child, platform: "linux/amd64" }]);
    await world.head("a/b", tag);
    await world.get("a/b", index.digest);
    const { manifest } = await world.get("a/b", child.digest);
    const [{ digest: blob = "" } = {}] = JSON.parse(Buffer.from(manifest.bytes).toString()).layers;
    await world.read("a/b", blob);
    return { index, child, blob };
  }

  test("is refused with all that it leads to, also where a client has just come to that by digests", async () => {
    const world = await startWorld({ passage: { deny: ["a/b:0.*"] } });
    const { index, child, blob } = await pulled(world, "1.0");
    world.renewPassage({ deny: ["a/b:0.*", "a/b:1.*"] });
    await expectRefused(world, "a/b", "1.0", index.digest, blob);
    await expectRefused(world, "a/b", "1.0", child.digest, blob);
    // Its tag is known to lead there even if the digest was asked for first after a restart.
    await world.restart();
    const asked = [1, 2, 3].map(() => expect(world.get("a/b", child.digest)).rejects.toMatchObject(refused));
    await Promise.all(asked);
    await expectRefused(world, "a/b", "1.0", child.digest, blob);
    world.renewPassage({ deny: ["a/b:0.*"] });
    await world.get("a/b", child.digest);
  });

  test("and what was pulled by its digest alone, before any tag was known to lead there, passes", async () => {
    const world = await startWorld({ passage: { deny: ["a/b:0.*"] } });
    const image = world.fake.addImage("a/b", undefined, { layers: [100] });
    await world.get("a/b", image.manifestDigest);
    await world.read("a/b", image.layerDigests[0] ?? "");
    await world.get("a/b", image.manifestDigest);
  });
});

describe("an upstream of which something is allowed", () => {
  test("gives that and nothing else; what is denied of it stays denied", async () => {
    const world = await startWorld({ passage: { allow: ["good/**"], deny: ["good/bad"] } });
    const image = world.fake.addImage("good/app", "1", { layers: [100] });
    const bad = world.fake.addImage("good/bad", "1", { layers: [100] });
    const other = world.fake.addImage("other/app", "1", { layers: [100] });
    await world.get("good/app", "1");
    await world.read("good/app", image.layerDigests[0] ?? "");
    await expectRefused(world, "good/bad", "1", bad.manifestDigest, bad.layerDigests[0] ?? "");
    await expectRefused(world, "other/app", "1", other.manifestDigest, other.layerDigests[0] ?? "");
    await expect(world.get("other/app", "1")).rejects.toThrow("it is not among what is allowed of fake.test");
  });

  test("a tag that is allowed passes with its platforms and layers, also by digest and after a restart", async () => {
    const world = await startWorld({ passage: { allow: ["a/b:3.*"] } });
    const { fake } = world;
    const layer = Buffer.alloc(100, 1);
    const child = placeImage(fake, "a/b", undefined, { platform: "linux/amd64", layers: [layer] });
    const index = placeIndex(fake, "a/b", "3.22", [{ ...child, platform: "linux/amd64" }]);
    const other = placeImage(fake, "a/b", "2", { layers: [Buffer.alloc(50, 2)] });
    await expect(world.get("a/b", index.digest), "nothing has led there").rejects.toMatchObject(refused);
    // containerd: HEAD of the tag, then everything by digest.
    await world.head("a/b", "3.22");
    await world.get("a/b", index.digest);
    const { manifest } = await world.get("a/b", child.digest);
    const [{ digest: blob = "" } = {}] = JSON.parse(Buffer.from(manifest.bytes).toString()).layers;
    await world.read("a/b", blob);
    await expect(world.get("a/b", other.digest)).rejects.toMatchObject(refused);
    await expect(world.get("a/b", "2")).rejects.toMatchObject(refused);
    expect(JSON.parse((await world.tags("a/b")).body).tags).toEqual(["3.22"]);
    await world.restart();
    await world.read("a/b", blob);
    await world.get("a/b", child.digest);
    await expect(world.get("a/b", other.digest)).rejects.toMatchObject(refused);
  });

  test("what refers to something that passes is had by whoever asks what refers to it, and nothing else is", async () => {
    const world = await startWorld({ passage: { allow: ["a/b:1"] } });
    const { fake } = world;
    const image = fake.addImage("a/b", "1", { layers: [100], format: "oci" });
    const other = fake.addImage("a/b", "2", { layers: [100], seed: 9, format: "oci" });
    const signature = (subject: string, seed: number) => {
      const blob = fake.addGeneratedBlob({ seed, size: 50 }, "a/b");
      const layers = [{ mediaType: "application/vnd.test.sig", digest: blob, size: 50 }];
      const document = {
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        layers,
        subject: { mediaType: OCI_MANIFEST, digest: subject, size: 1 },
      };
      return {
        blob,
        digest: fake.addManifest("a/b", undefined, Buffer.from(JSON.stringify(document)), OCI_MANIFEST),
      };
    };
    const [good, bad] = [signature(image.manifestDigest, 40), signature(other.manifestDigest, 50)];
    await world.get("a/b", "1");
    await expect(world.get("a/b", good.digest)).rejects.toMatchObject(refused);
    await expect(world.referrers("a/b", other.manifestDigest)).rejects.toMatchObject(refused);
    expect((await world.referrers("a/b", image.manifestDigest)).body).toContain(good.digest);
    await world.get("a/b", good.digest);
    expect(await world.read("a/b", good.blob)).toHaveLength(50);
    await expect(world.get("a/b", bad.digest)).rejects.toMatchObject(refused);
    // It is no way around a rule that denies what it refers to.
    world.renewPassage({ deny: ["a/b:1"] });
    await expect(world.get("a/b", good.digest)).rejects.toMatchObject(refused);
    await expect(world.read("a/b", good.blob)).rejects.toMatchObject(refused);
  });

  test("a pull goes on when its tag moves meanwhile", async () => {
    const world = await startWorld({ passage: { allow: ["a/b:1"] } });
    const image = world.fake.addImage("a/b", "1", { layers: [100] });
    await world.get("a/b", "1");
    world.fake.addImage("a/b", "1", { layers: [300] });
    world.clock.aheadMs += 600_000;
    await world.get("a/b", "1");
    expect(await world.read("a/b", image.layerDigests[0] ?? "")).toHaveLength(100);
  });
});

test("a digest is denied wherever it stands: by its tag, and by itself", async () => {
  const world = await startWorld();
  const image = world.fake.addImage("a/b", "1", { layers: [100] });
  const other = world.fake.addImage("a/b", "2", { layers: [200] });
  world.renewPassage({ deny: [`*@${image.manifestDigest}`] });
  await expect(world.get("a/b", "1")).rejects.toMatchObject(refused);
  await expect(world.head("a/b", "1")).rejects.toMatchObject(refused);
  await expect(world.get("a/b", image.manifestDigest)).rejects.toMatchObject(refused);
  expect((await world.get("a/b", "2")).manifest.digest).toBe(other.manifestDigest);
});

describe("a rule that is made by command", () => {
  const now = { isRemoval: false, isTrial: false };

  test("counts at once and after a restart, until it is taken back", async () => {
    const world = await startWorld();
    world.fake.addImage("a/b", "1", { layers: [100] });
    world.fake.addImage("c/d", "1", { layers: [100] });
    await world.get("a/b", "1");
    await world.get("c/d", "1");
    const trial = await world.mirror.passage.change("deny", "fake.test/a/*", { ...now, isTrial: true });
    expect(trial).toEqual({
      pattern: "fake.test/a/*",
      changes: true,
      refused: ["fake.test/a/b:1"],
      passing: [],
      isCut: false,
      closed: [],
    });
    await world.get("a/b", "1");
    await world.mirror.passage.change("deny", "fake.test/a/*", now);
    await expect(world.get("a/b", "1")).rejects.toThrow("is denied (by granary deny)");
    await world.restart();
    await expect(world.get("a/b", "1")).rejects.toMatchObject(refused);
    expect(world.mirror.passage.rules()).toMatchObject([{ kind: "deny", from: "command" }]);
    const taken = await world.mirror.passage.change("deny", "fake.test/a/*", { ...now, isRemoval: true });
    expect(taken).toMatchObject({ passing: ["fake.test/a/b:1"], refused: [] });
    await world.get("a/b", "1");
  });

  test("says of which upstreams nothing else passes from then on", async () => {
    const world = await startWorld();
    world.fake.addImage("a/b", "1", { layers: [100] });
    world.fake.addImage("c/d", "1", { layers: [100] });
    await world.get("a/b", "1");
    await world.get("c/d", "1");
    const effect = await world.mirror.passage.change("allow", "fake.test/a/b", now);
    expect(effect).toMatchObject({ refused: ["fake.test/c/d:1"], closed: ["fake.test"] });
    expect(await world.mirror.passage.change("allow", "fake.test/a/b", now)).toMatchObject({
      changes: false,
    });
  });

  test("that nobody made cannot be taken back; one of the settings is taken out there", async () => {
    const world = await startWorld({ passage: { deny: ["a/b"] } });
    const removal = { isRemoval: true, isTrial: false };
    await expect(world.mirror.passage.change("deny", "fake.test/c/d", removal)).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("There is no rule to deny fake.test/c/d."),
    });
    await expect(world.mirror.passage.change("deny", "fake.test/a/b", removal)).rejects.toThrow(
      "stands in the settings",
    );
    await expect(world.mirror.passage.change("deny", "nowhere.test/a", removal)).rejects.toMatchObject({
      code: "route-unknown",
    });
  });
});
