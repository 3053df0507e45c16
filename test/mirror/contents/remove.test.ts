/** Shows what a removal takes with it, what it leaves, that it never takes anything from under a reader, and that who may see it is asked anew. */
import { describe, expect, it } from "vitest";
import type { FakeImage } from "../../support/fake-registry.ts";
import { MiB, type MirrorWorld, readAll, startWorld, UPSTREAM } from "../../support/mirror-world.ts";
import { eventually } from "../../support/patience.ts";

const DAY_MS = 86_400_000;

/** Puts an image there and pulls it whole. */
async function pull(
  world: MirrorWorld,
  repository: string,
  tag: string,
  seeds: readonly number[],
): Promise<FakeImage> {
  const image = place(world, repository, tag, seeds);
  await pullAgain(world, repository, tag, image);
  return image;
}

/** Layers of a tenth of a MiB, by their seeds: equal seeds are equal layers. */
function place(world: MirrorWorld, repository: string, tag: string, seeds: readonly number[]): FakeImage {
  const layerDigests = seeds.map((seed) => world.fake.addGeneratedBlob({ seed, size: MiB / 8 }, repository));
  const config = Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", repository, tag }));
  const configDigest = world.fake.addBlob(config, repository);
  const layers = layerDigests.map((digest) => ({
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    digest,
    size: MiB / 8,
  }));
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const document = {
    schemaVersion: 2,
    mediaType,
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: configDigest,
      size: config.length,
    },
    layers,
  };
  const manifestDigest = world.fake.addManifest(
    repository,
    tag,
    Buffer.from(JSON.stringify(document)),
    mediaType,
  );
  return { manifestDigest, configDigest, layerDigests };
}

async function pullAgain(
  world: MirrorWorld,
  repository: string,
  tag: string,
  image: FakeImage,
): Promise<void> {
  await world.get(repository, tag);
  for (const digest of [image.configDigest, ...image.layerDigests]) await world.read(repository, digest);
  await world.fills(0);
  await eventually(async () => expect((await world.mirror.status()).pins).toBe(0));
}

async function whatIsHere(world: MirrorWorld, digests: readonly string[]): Promise<boolean[]> {
  const rows = await Promise.all(
    (digests as FakeImage["layerDigests"]).map((digest) => world.metadata.blob(digest)),
  );
  return rows.map((row) => row !== undefined);
}

const of = (name: string) => `${UPSTREAM}/${name}`;

describe("removing", () => {
  it("a tag takes its manifest and the blobs that only it needs, and leaves what another tag shares", async () => {
    const world = await startWorld();
    const one = await pull(world, "a/b", "1", [1, 2]);
    const two = await pull(world, "a/b", "2", [2, 3]);
    const dry = await world.mirror.contents.remove(of("a/b:1"), { dryRun: true });
    expect(dry).toMatchObject({ blobs: 2, later: 0, kept: [] });
    expect(dry.repositories).toEqual([
      { upstream: UPSTREAM, repository: "a/b", isAll: false, tags: ["1"], manifests: [one.manifestDigest] },
    ]);
    expect(await whatIsHere(world, one.layerDigests)).toEqual([true, true]);

    const before = (await world.mirror.status()).disk.used;
    const told = () => world.records.events.since(0).filter(({ kind }) => kind === "removed");
    expect(told()).toEqual([]);
    expect(await world.mirror.contents.remove(of("a/b:1"), {})).toEqual(dry);
    expect(told()).toMatchObject([
      {
        text: expect.stringMatching(/^1 name and 2 blobs \(.* KiB\) were removed: fake.test\/a\/b:1$/),
        facts: { pattern: of("a/b:1"), names: 1, blobs: 2, bytes: dry.freed },
      },
    ]);
    expect(before - (await world.mirror.status()).disk.used).toBe(dry.freed);
    expect(await whatIsHere(world, [one.configDigest, ...one.layerDigests])).toEqual([false, false, true]);
    expect(await whatIsHere(world, [two.configDigest, ...two.layerDigests])).toEqual([true, true, true]);
    expect(await world.metadata.manifest(one.manifestDigest)).toBeUndefined();
    const requests = world.fake.requests.length;
    await pullAgain(world, "a/b", "2", two);
    expect(world.fake.requests.length).toBe(requests);
  });

  it("a repository leaves what another repository needs, and is pulled again for the price of what went", async () => {
    const world = await startWorld();
    const one = await pull(world, "a/one", "1", [1, 2]);
    await pull(world, "a/two", "1", [2, 3]);
    await world.mirror.contents.remove(of("a/one"), {});
    expect(await whatIsHere(world, [one.configDigest, ...one.layerDigests])).toEqual([false, false, true]);
    expect(await world.metadata.tagsOf({ upstream: UPSTREAM, repository: "a/one" })).toEqual([]);
    const sent = (digest: string) => world.fake.bytesSentFor(digest as FakeImage["configDigest"]);
    const before = one.layerDigests.map(sent);
    await pullAgain(world, "a/one", "1", one);
    const after = one.layerDigests.map(sent);
    expect(after.map((bytes, index) => bytes - (before[index] ?? 0))).toEqual([MiB / 8, 0]);
  });

  it("an index takes the images that it lists with it", async () => {
    const world = await startWorld();
    const image = place(world, "a/b", "arm", [1]);
    world.fake.deleteTag("a/b", "arm");
    world.fake.addIndex("a/b", "1", [{ digest: image.manifestDigest, platform: "linux/arm64" }]);
    await world.get("a/b", "1");
    await world.get("a/b", image.manifestDigest);
    for (const digest of [image.configDigest, ...image.layerDigests]) await world.read("a/b", digest);
    await world.fills(0);
    const removed = await world.mirror.contents.remove(of("a/b:1"), {});
    expect(removed.repositories[0]?.manifests).toHaveLength(2);
    expect(await whatIsHere(world, [image.configDigest, ...image.layerDigests])).toEqual([false, false]);
  });

  it("everything below a name by pattern leaves other names, and a digest goes wherever it is", async () => {
    const world = await startWorld();
    const one = await pull(world, "org/a", "1", [1]);
    const two = await pull(world, "org/b/c", "1", [2]);
    const other = await pull(world, "else/a", "1", [3]);
    await world.mirror.contents.remove(of("org/**"), {});
    const all = [...one.layerDigests, ...two.layerDigests, ...other.layerDigests];
    expect(await whatIsHere(world, all)).toEqual([false, false, true]);
    await world.mirror.contents.remove(`*@${other.manifestDigest}`, {});
    expect(await whatIsHere(world, all)).toEqual([false, false, false]);
  });

  it("only what nobody used for a time leaves what was used since", async () => {
    const world = await startWorld();
    const one = await pull(world, "a/b", "1", [1]);
    const two = await pull(world, "a/b", "2", [2]);
    world.clock.aheadMs += 91 * DAY_MS;
    await world.get("a/b", "2");
    const removed = await world.mirror.contents.remove("*", { unusedForMs: 90 * DAY_MS });
    expect(removed.repositories).toMatchObject([{ tags: ["1"], isAll: false }]);
    expect(await whatIsHere(world, [...one.layerDigests, ...two.layerDigests])).toEqual([false, true]);
  });

  it("what is being read takes it from nobody, and frees it when the last reader has ended (F12)", async () => {
    const world = await startWorld();
    const image = await pull(world, "a/b", "1", [1]);
    const [layer = ""] = image.layerDigests;
    const { blob } = await world.open("a/b", layer);
    const reader = blob.reader();
    await reader.read(new Uint8Array(1_000));
    const removed = await world.mirror.contents.remove(of("a/b"), {});
    expect(removed.later).toBe(MiB / 8);
    expect(await readAll(reader)).toHaveLength(MiB / 8 - 1_000);
    expect(await whatIsHere(world, [layer])).toEqual([true]);
    reader.close();
    blob.release();
    await eventually(async () => expect(await whatIsHere(world, [layer])).toEqual([false]));
  });

  it("what is being filled lets the fill end, and frees it then", async () => {
    const world = await startWorld({ settings: { bandwidth: { registry: MiB, cdn: undefined } } });
    const image = place(world, "a/b", "1", [1]);
    const big = world.fake.addGeneratedBlob({ seed: 5, size: 2 * MiB }, "a/b");
    await pullAgain(world, "a/b", "1", image);
    const reading = world.read("a/b", big);
    await world.fills(1);
    expect((await world.mirror.contents.remove(of("a/b"), {})).repositories).toHaveLength(1);
    expect(await reading).toHaveLength(2 * MiB);
    await world.fills(0);
    await eventually(async () => expect(await whatIsHere(world, [big])).toEqual([false]));
  });

  it("what was pulled again before its last reader ended leaves it", async () => {
    const world = await startWorld();
    const image = await pull(world, "a/b", "1", [1]);
    const [layer = ""] = image.layerDigests;
    const { blob } = await world.open("a/b", layer);
    await world.mirror.contents.remove(of("a/b"), {});
    await pullAgainWhileOpen(world, image);
    blob.release();
    await eventually(async () => expect((await world.mirror.status()).pins).toBe(0));
    expect(await whatIsHere(world, [layer])).toEqual([true]);
  });

  it("below a keep rule is refused without force, and part of a pattern that is kept stays", async () => {
    const world = await startWorld({ keep: [of("a/b:1")] });
    const one = await pull(world, "a/b", "1", [1, 2]);
    const two = await pull(world, "a/b", "2", [2, 3]);
    await expect(world.mirror.contents.remove(of("a/b:1"), {})).rejects.toMatchObject({ code: "denied" });
    const removed = await world.mirror.contents.remove(of("a/b"), {});
    expect(removed.kept).toEqual([{ name: of("a/b:1"), rule: of("a/b:1") }]);
    expect(await whatIsHere(world, [...one.layerDigests, ...two.layerDigests])).toEqual([
      true,
      true,
      true,
      false,
    ]);
    await world.mirror.contents.remove(of("a/b:1"), { force: true });
    expect(await whatIsHere(world, one.layerDigests)).toEqual([false, false]);
  });

  it.each([
    [["a/b:1"], "a/b:1", "fake.test/a/b:1 is kept by the rule fake.test/a/b:1:", "Take the rule back"],
    [["a/b"], "a/b", "fake.test/a/b:1 and 2 more are kept by the rule fake.test/a/b:", "Take the rule back"],
    [
      ["a/b:1", "a/b:2", "a/b:3"],
      "a/b",
      "fake.test/a/b:1 and 2 more are kept by the rule fake.test/a/b:1 and 2 more:",
      "Take these rules back",
    ],
  ])(
    "kept by %j, a removal of %s says of how many things, and by which rules",
    async (keep, what, ...said) => {
      const world = await startWorld({ keep: keep.map(of) });
      for (const tag of ["1", "2", "3"]) await pull(world, "a/b", tag, [1]);
      const { message } = await world.mirror.contents.remove(of(what), {}).then(
        () => ({ message: "it was removed" }),
        (error: Error) => error,
      );
      for (const part of said) expect(message).toContain(part);
    },
  );

  it("a pattern that matches nothing says what comes near", async () => {
    const world = await startWorld();
    await pull(world, "org/application", "1", [1]);
    await expect(world.mirror.contents.remove(of("org/aplication"), {})).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining(`Near to it: ${of("org/application")}.`),
    });
    await expect(world.mirror.contents.remove(of("org/application:2"), {})).rejects.toMatchObject({
      message: expect.stringContaining(`Near to it: ${of("org/application:1")}.`),
    });
  });

  it("makes the upstream confirm anew what is pulled again", async () => {
    const world = await startWorld();
    const one = await pull(world, "a/one", "1", [1]);
    await pull(world, "a/two", "1", [1]);
    await world.mirror.contents.remove(of("a/one"), {});
    const [layer = ""] = one.layerDigests;
    expect(
      await world.metadata.link(
        { upstream: UPSTREAM, repository: "a/one" },
        one.layerDigests[0] ?? one.configDigest,
      ),
    ).toBeUndefined();
    world.fake.forgetRequests();
    await world.read("a/one", layer);
    expect(world.fake.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      expect.stringMatching(/^HEAD \/v2\/a\/one\/blobs\//),
    ]);
  });
});

it("what strangers were given of a public repository is looked at anew when it was removed and came again", async () => {
  const users = { granary: "hunter2" };
  const credentials = { username: "granary", password: "hunter2" };
  const loggedIn = { loggedIn: true };
  const world = await startWorld({ mode: "hub", settings: { users }, upstream: { credentials } });
  const image = world.fake.addImage("team/app", "1", { layers: [100] });
  const [layer = ""] = image.layerDigests;
  await world.get("team/app", "1");
  await world.read("team/app", layer);
  await world.fills(0);
  await world.mirror.contents.remove(of("team/app"), {});
  world.fake.settings.privateRepositories.add("team/app");
  await world.get("team/app", "1", loggedIn);
  await world.read("team/app", layer, undefined, loggedIn);
  await world.fills(0);
  await expect(world.get("team/app", "1")).rejects.toMatchObject({ code: "not-found" });
  await expect(world.open("team/app", layer)).rejects.toMatchObject({ code: "not-found" });
  await expect(world.stat("team/app", layer)).rejects.toMatchObject({ code: "not-found" });
});

async function pullAgainWhileOpen(world: MirrorWorld, image: FakeImage): Promise<void> {
  await world.get("a/b", "1");
  for (const digest of [image.configDigest, ...image.layerDigests]) await world.read("a/b", digest);
  await world.fills(0);
}
