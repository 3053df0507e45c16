/** Shows what a bundle brings into a Granary: whole names and nothing else, served to everybody, with a line and without one. */
import { describe, expect, it } from "vitest";
import type { ImportReport } from "../../../src/mirror/imports/import-report.ts";
import type { ImportOptions } from "../../../src/mirror/imports/imports.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { inPieces, type MadeThing, madeBundle, madeImage, madeIndex } from "../../support/made-bundle.ts";
import { type MirrorWorld, startWorld, UPSTREAM, type WorldOptions } from "../../support/mirror-world.ts";
import { eventually } from "../../support/patience.ts";

const APP = `${UPSTREAM}/team/app:1`;

function importInto(
  world: MirrorWorld,
  bundle: Uint8Array,
  options: Partial<ImportOptions> = {},
): Promise<ImportReport> {
  return world.mirror.imports.run(inPieces(bundle), { replace: false, dryRun: false, ...options });
}

async function importNames(
  world: MirrorWorld,
  names: Readonly<Record<string, MadeThing>>,
  options: Parameters<typeof madeBundle>[1] & Partial<ImportOptions> = {},
) {
  const { without, wrong, cutAt, ...run } = options;
  const made = { ...(without && { without }), ...(wrong && { wrong }), ...(cutAt && { cutAt }) };
  return await importInto(world, await madeBundle(names, made), run);
}

/** Pulls as a client does: the manifest by its tag, and every blob. */
async function pull(world: MirrorWorld, { digest, blobs }: MadeThing, tag = "1") {
  const answer = await world.get("team/app", tag);
  expect(answer.manifest.digest).toBe(digest);
  for (const blob of blobs) expect((await world.read("team/app", digestOf(blob))).equals(blob)).toBe(true);
  return answer;
}

describe("a bundle that is imported", () => {
  it("is served whole while the registry is away, and asked for as usual when it is back", async () => {
    const world = await startWorld();
    const image = madeImage(1);
    await world.fake.pause();
    const report = await importNames(world, { [APP]: image });
    expect(report).toMatchObject({
      names: [{ name: APP, outcome: "imported", digest: image.digest }],
      damaged: [],
    });
    expect(await pull(world, image)).toMatchObject({
      outcome: "stale",
      warning: expect.stringContaining("imported"),
    });
    await world.restart();
    await pull(world, image);
    await world.fake.resume();
    const newer = world.fake.addImage("team/app", "1", { layers: [10] });
    await eventually(async () => {
      world.clock.aheadMs += 60_000;
      expect((await world.get("team/app", "1")).manifest.digest).toBe(newer.manifestDigest);
    });
  });

  it("stays when the registry says that it has no such tag", async () => {
    const world = await startWorld();
    const image = madeImage(1);
    world.fake.addImage("team/app", "other", { layers: [10] });
    await importNames(world, { [APP]: image });
    for (let pass = 0; pass < 3; pass++) {
      expect(await pull(world, image)).toMatchObject({
        warning: expect.stringContaining("imported, and stays"),
      });
      world.clock.aheadMs += 3_600_000;
    }
  });

  it("is there at once for who was told a moment ago that it is not", async () => {
    const world = await startWorld();
    const image = madeImage(1);
    await expect(world.get("team/app", "1")).rejects.toMatchObject({ code: "not-found" });
    await expect(world.stat("team/app", digestOf(image.blobs[0] ?? Buffer.of()))).rejects.toMatchObject({
      code: "not-found",
    });
    await importNames(world, { [APP]: image });
    await pull(world, image);
  });

  it("of an index with one of its platforms is served with that platform", async () => {
    const world = await startWorld();
    const [here, elsewhere] = [madeImage(1), madeImage(2)];
    const index = madeIndex({ "linux/amd64": here, "linux/arm64": elsewhere });
    const without = [elsewhere.digest, ...elsewhere.blobs.map((blob) => digestOf(blob))];
    await world.fake.pause();
    const report = await importNames(world, { [APP]: index }, { without });
    expect(report.names).toMatchObject([{ outcome: "imported", absent: 1 }]);
    expect((await world.get("team/app", "1")).manifest.digest).toBe(index.digest);
    expect((await world.get("team/app", here.digest)).manifest.digest).toBe(here.digest);
    for (const blob of here.blobs) await world.read("team/app", digestOf(blob));
  });

  it("a second time copies nothing and says so", async () => {
    const world = await startWorld();
    const image = madeImage(1);
    const first = await importNames(world, { [APP]: image });
    expect(first.copied).toBe(image.blobs.reduce((sum, { length }) => sum + length, 0));
    const second = await importNames(world, { [APP]: image });
    expect(second).toMatchObject({ copied: 0, names: [{ outcome: "present" }] });
  });

  it("counts the same blob under two names once", async () => {
    const world = await startWorld();
    const image = madeImage(1);
    const report = await importNames(world, { [APP]: image, [`${UPSTREAM}/team/app:2`]: image });
    expect(report.copied).toBe(image.blobs.reduce((sum, { length }) => sum + length, 0));
    await pull(world, image, "2");
  });
});

describe("a bundle with wrong bytes", () => {
  it("imports nothing of that blob, not the name that needs it, and all others; it says which", async () => {
    const world = await startWorld();
    const [good, bad] = [madeImage(1), madeImage(2)];
    const layer = digestOf(bad.blobs[2] ?? Buffer.of());
    await world.fake.pause();
    const report = await importNames(
      world,
      { [`${UPSTREAM}/team/bad:1`]: bad, [APP]: good },
      { wrong: [layer] },
    );
    expect(report).toMatchObject({
      damaged: [layer],
      names: [
        { outcome: "damaged", reason: expect.stringContaining(layer) },
        { name: APP, outcome: "imported" },
      ],
    });
    await pull(world, good);
    await expect(world.get("team/bad", "1")).rejects.toThrow();
    expect(await world.metadata.blob(layer)).toBeUndefined();
    expect(await world.store.spool.list()).toEqual([]);
    await importNames(world, { [`${UPSTREAM}/team/bad:1`]: bad });
    expect((await world.get("team/bad", "1")).manifest.digest).toBe(bad.digest);
  });

  it("of a manifest imports no name that needs it", async () => {
    const world = await startWorld();
    const image = madeImage(1);
    const report = await importNames(world, { [APP]: image }, { wrong: [image.digest] });
    expect(report).toMatchObject({ damaged: [image.digest], names: [{ outcome: "damaged" }] });
    await expect(world.get("team/app", "1")).rejects.toMatchObject({ code: "not-found" });
  });

  it("that lacks a blob says which one, and imports it when another bundle brings the rest", async () => {
    const world = await startWorld();
    const image = madeImage(1);
    const layer = digestOf(image.blobs[1] ?? Buffer.of());
    const report = await importNames(world, { [APP]: image }, { without: [layer] });
    expect(report.names).toMatchObject([
      { outcome: "incomplete", reason: expect.stringContaining(layer), missing: [{ digest: layer }] },
    ]);
    await expect(world.get("team/app", "1")).rejects.toMatchObject({ code: "not-found" });
    const rest = await importNames(world, { [APP]: image });
    expect(rest).toMatchObject({ copied: image.blobs[1]?.length, names: [{ outcome: "imported" }] });
  });

  it("that is cut off shows no name of what did not come whole, and goes on from there", async () => {
    const world = await startWorld();
    const image = madeImage(1, [1_000, 9_000_000]);
    const whole = await madeBundle({ [APP]: image });
    await expect(importInto(world, whole.subarray(0, whole.length - 3_000_000))).rejects.toMatchObject({
      code: "manifest-invalid",
    });
    await expect(world.get("team/app", "1")).rejects.toMatchObject({ code: "not-found" });
    expect((await world.store.spool.list()).map(({ present }) => present)).toEqual([expect.any(Number)]);
    await world.restart();
    const report = await importInto(world, whole);
    expect(report.names).toMatchObject([{ outcome: "imported" }]);
    await world.fake.pause();
    await pull(world, image);
  });

  it("after a bundle that was cut off and had wrong bytes is still right", async () => {
    const world = await startWorld();
    const image = madeImage(1, [1_000, 9_000_000]);
    const layer = digestOf(image.blobs[2] ?? Buffer.of());
    const wrong = await madeBundle({ [APP]: image }, { wrong: [layer] });
    await importInto(world, wrong.subarray(0, wrong.length - 1_000_000)).catch(() => undefined);
    const report = await importNames(world, { [APP]: image });
    expect(report.names).toMatchObject([{ outcome: "imported" }]);
    await world.fake.pause();
    await pull(world, image);
  });

  it.each([
    ["no tar", Buffer.from("this is not a tar at all".repeat(100))],
    ["an empty file", Buffer.of()],
    ["a tar without a list", Buffer.alloc(1_024)],
  ])("%s is refused, with what is wrong", async (_, bytes) => {
    const world = await startWorld();
    await expect(importInto(world, bytes)).rejects.toMatchObject({ code: "manifest-invalid" });
  });
});

describe("a tag that is here already", () => {
  it("stays when it stands for something else, and is moved when that is asked for", async () => {
    const world = await startWorld();
    const pulled = world.fake.addImage("team/app", "1", { layers: [10] });
    await world.get("team/app", "1");
    const image = madeImage(1);
    const kept = await importNames(world, { [APP]: image });
    expect(kept.names).toMatchObject([{ outcome: "kept", before: pulled.manifestDigest }]);
    expect(kept.copied).toBe(0);
    expect((await world.get("team/app", "1")).manifest.digest).toBe(pulled.manifestDigest);
    const moved = await importNames(world, { [APP]: image }, { replace: true });
    expect(moved.names).toMatchObject([{ outcome: "imported", before: pulled.manifestDigest }]);
    await world.fake.pause();
    await pull(world, image);
  });
});

describe("a dry run", () => {
  it("says exactly what would happen, and changes nothing", async () => {
    const world = await startWorld();
    const image = madeImage(1);
    const report = await importNames(world, { [APP]: image }, { dryRun: true });
    expect(report).toMatchObject({ dryRun: true, copied: 0, names: [{ outcome: "imported" }] });
    expect(report.names[0]?.missing.map(({ digest }) => digest)).toEqual(
      image.blobs.map((blob) => digestOf(blob)),
    );
    await expect(world.get("team/app", "1")).rejects.toMatchObject({ code: "not-found" });
    expect((await world.metadata.sums()).blobs).toBe(0);
  });
});

describe("what cannot be served here", () => {
  it("is refused name by name, with what to do", async () => {
    const world = await startWorld();
    const report = await importNames(world, {
      "elsewhere.test/team/app:1": madeImage(1),
      [`${UPSTREAM}/team/app:2`]: madeImage(2),
    });
    expect(report.names).toMatchObject([
      { outcome: "refused", reason: expect.stringMatching(/No upstream "elsewhere.test".*--as NAME/) },
      { outcome: "imported" },
    ]);
  });

  it("gets the name that is given for it", async () => {
    const world = await startWorld();
    const image = madeImage(1);
    const as = APP;
    const report = await importNames(world, { "elsewhere.test/x/y:9": image }, { as });
    expect(report.names).toMatchObject([{ name: APP, outcome: "imported" }]);
    await pull(world, image);
    const two = { "a.test/x/y:1": image, "a.test/x/y:2": madeImage(2) };
    await expect(importNames(world, two, { as })).rejects.toMatchObject({ code: "reference-invalid" });
  });

  it("does not fit into the budget: the name is refused, what fits is imported, and a dry run says so", async () => {
    const world = await startWorld({ budget: { maxSize: 3_000_000, minFree: 0 } });
    const names = {
      [`${UPSTREAM}/team/large:1`]: madeImage(2, [9_000_000]),
      [APP]: madeImage(1),
      [`${UPSTREAM}/team/more:1`]: madeImage(3, [2_990_000]),
      [`${UPSTREAM}/team/again:1`]: madeImage(1),
    };
    for (const dryRun of [true, false]) {
      const report = await importNames(world, names, { dryRun });
      const refused = { outcome: "refused", reason: expect.stringContaining("storage.maxSize") };
      const imported = { outcome: "imported" };
      expect(report.names).toMatchObject([refused, imported, refused, imported]);
    }
    // What nobody needs can go, and a dry run counts on that.
    const other = [`${UPSTREAM}/team/other:1`, madeImage(7, [2_500_000])] as const;
    expect((await importNames(world, Object.fromEntries([other]), { dryRun: true })).names).toMatchObject([
      { outcome: "imported" },
    ]);
    await pull(world, madeImage(1));
  });
});

describe("clients that did not log in", () => {
  const credentials = { username: "granary", password: "hunter2" };
  const hub: WorldOptions = {
    mode: "hub",
    settings: { users: { granary: "hunter2" } },
    upstream: { credentials },
  };

  it("get what was imported of a repository that the registry shows to nobody, with a line and without", async () => {
    const world = await startWorld(hub);
    const image = madeImage(1);
    world.fake.addImage("team/app", "old", { layers: [10] });
    world.fake.settings.privateRepositories.add("team/app");
    await importNames(world, { [APP]: image });
    await pull(world, image);
    expect((await world.get("team/app", image.digest)).manifest.digest).toBe(image.digest);
    await world.fake.pause();
    world.clock.aheadMs += 3_600_000;
    await pull(world, image);
    await world.restart();
    await pull(world, image);
  });

  it("get nothing else of it", async () => {
    const world = await startWorld(hub);
    const secret = world.fake.addImage("team/app", "1", { layers: [10] });
    world.fake.settings.privateRepositories.add("team/app");
    const image = madeImage(1);
    await importNames(world, { [APP]: image });
    // The registry's own tag of that name is private, and so strangers keep what was imported.
    await pull(world, image);
    await expect(world.get("team/app", secret.manifestDigest)).rejects.toMatchObject({ code: "not-found" });
    await expect(world.stat("team/app", secret.configDigest)).rejects.toMatchObject({ code: "not-found" });
  });

  it("get nothing private by a bundle that only knows its digest, whatever name it comes under", async () => {
    const world = await startWorld(hub);
    world.fake.settings.privateRepositories.add("secret/app");
    const secret = madeImage(5);
    for (const blob of secret.blobs) world.fake.addBlob(blob, "secret/app");
    world.fake.addManifest("secret/app", "1", secret.manifest, secret.mediaType);
    await world.get("secret/app", "1", { loggedIn: true });
    for (const blob of secret.blobs)
      await world.read("secret/app", digestOf(blob), undefined, { loggedIn: true });
    await world.fills(0);
    const without = secret.blobs.map((blob) => digestOf(blob));
    const names = [APP, `${UPSTREAM}/secret/app:2`];
    for (const name of names) {
      const report = await importNames(world, { [name]: secret }, { without });
      expect(report.names).toMatchObject([
        { outcome: "incomplete", reason: expect.stringContaining("not for every client") },
      ]);
    }
    // An index shows no more of what it lists than the bundle brings.
    const index = madeIndex({ "linux/amd64": madeImage(6), "linux/arm64": secret });
    await importNames(world, { [APP]: index }, { without: [secret.digest, ...without] });
    for (const repository of ["team/app", "secret/app"])
      for (const reference of [secret.digest, ...without])
        await expect(
          reference === secret.digest ? world.get(repository, reference) : world.read(repository, reference),
          `${repository} ${reference}`,
        ).rejects.toMatchObject({ code: "not-found" });
    // Who has the bytes may bring them, and need not bring them twice.
    const whole = await importNames(world, { [`${UPSTREAM}/secret/app:2`]: secret });
    expect(whole.names).toMatchObject([{ outcome: "imported" }]);
    expect(
      (await importNames(world, { [`${UPSTREAM}/secret/app:3`]: secret }, { without })).names,
    ).toMatchObject([{ outcome: "imported" }]);
    await world.read("secret/app", without[0] ?? "");
  });
});
