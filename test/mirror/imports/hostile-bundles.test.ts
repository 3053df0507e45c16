/** Shows what odd and hostile bundles get: one clear sentence for each name, nothing by half, and never more room than the budget has. */
import { describe, expect, it } from "vitest";
import type { ImportReport } from "../../../src/mirror/imports/import-report.ts";
import { type Digest, digestOf, encodedOf } from "../../../src/oci/digest.ts";
import { DOCKER_SCHEMA1, OCI_INDEX, OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { type Entry, tarOf } from "../../client/archives/make-archive.ts";
import { inPieces, madeBundle, madeImage, madeIndex } from "../../support/made-bundle.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../../support/mirror-world.ts";
import { patternBytes } from "../../support/pattern.ts";

const APP = `${UPSTREAM}/team/app:1`;
const OPTIONS = { replace: false, dryRun: false };

async function withoutALine(options: Parameters<typeof startWorld>[0] = {}): Promise<MirrorWorld> {
  const world = await startWorld(options);
  await world.fake.pause();
  return world;
}

function importInto(world: MirrorWorld, bundle: Uint8Array): Promise<ImportReport> {
  return world.mirror.imports.run(inPieces(bundle), OPTIONS);
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

type Thing = { readonly digest: Digest; readonly bytes: Buffer; readonly mediaType: string };

function thing(document: unknown, mediaType = OCI_MANIFEST): Thing {
  const bytes = json(document);
  return { digest: digestOf(bytes), bytes, mediaType };
}

function blobEntry(bytes: Uint8Array, digest: Digest = digestOf(bytes)): Entry {
  const [algorithm] = digest.split(":");
  return { name: `blobs/${algorithm}/${encodedOf(digest)}`, content: bytes };
}

function indexEntry(names: readonly (readonly [string, Thing])[]): Entry {
  const manifests = names.map(([name, { digest, bytes, mediaType }]) => ({
    ...{ digest, mediaType, size: bytes.length },
    annotations: { "io.containerd.image.name": name },
  }));
  return { name: "index.json", content: json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }) };
}

async function isServed(world: MirrorWorld, repository: string, reference: string): Promise<boolean> {
  return await world.get(repository, reference).then(
    () => true,
    () => false,
  );
}

describe("a bundle", () => {
  it("that brings one name for two things gets neither, and is told which", async () => {
    const world = await withoutALine();
    const [one, other] = [madeImage(1), madeImage(2)];
    const names = [
      [APP, { ...one, bytes: one.manifest }],
      [APP, { ...other, bytes: other.manifest }],
    ] as const;
    const tar = await tarOf([
      indexEntry(names),
      ...[one, other].flatMap(({ manifest, blobs }) => [manifest, ...blobs].map((bytes) => blobEntry(bytes))),
    ]);
    const report = await importInto(world, tar);
    for (const [place, { digest }] of [other, one].entries())
      expect(report.names[place]).toMatchObject({
        outcome: "refused",
        reason: expect.stringContaining(digest),
      });
    expect(await isServed(world, "team/app", "1")).toBe(false);
  });

  it("whose list comes twice is refused", async () => {
    const world = await withoutALine();
    const image = madeImage(1);
    const names = [[APP, { ...image, bytes: image.manifest }]] as const;
    const tar = await tarOf([
      indexEntry(names),
      blobEntry(image.manifest),
      indexEntry([]),
      indexEntry(names),
    ]);
    await expect(importInto(world, tar)).rejects.toMatchObject({ code: "manifest-invalid" });
  });

  it("with links, devices and names that lead out of it brings what is sound, and nothing else", async () => {
    const world = await withoutALine();
    const image = madeImage(1);
    const [config, ...layers] = image.blobs;
    const tar = await tarOf([
      indexEntry([[APP, { ...image, bytes: image.manifest }]]),
      blobEntry(image.manifest),
      { name: "../../../etc/passwd", content: "x" },
      { name: "/blobs/sha256/../../x", content: "x" },
      { name: "dev", type: "character-device" },
      { name: `blobs/sha256/${"a".repeat(64)}`, type: "symlink", linkname: "/etc/passwd" },
      { name: `blobs/sha256/${"b".repeat(64)}`, type: "link", linkname: "index.json" },
      { name: `blobs/sha256/${"c".repeat(64)}`, content: "nobody asked for this" },
      ...[config ?? Buffer.of(), ...layers].map((bytes) => blobEntry(bytes)),
      ...layers.map((bytes) => blobEntry(bytes)),
    ]);
    expect((await importInto(world, tar)).names).toMatchObject([{ outcome: "imported" }]);
    for (const letter of ["a", "b", "c"])
      expect(await world.metadata.blob(`sha256:${letter.repeat(64)}` as Digest)).toBeUndefined();
  });

  it("of an index that lists itself and others that do, as deep as it likes, ends and is served", async () => {
    const world = await withoutALine();
    const image = madeImage(1);
    let inner = { ...madeIndex({ "linux/amd64": image }) };
    for (let level = 0; level < 200; level++) inner = { ...madeIndex({ [`linux/${level}`]: inner }) };
    const bundle = await madeBundle({ [APP]: inner });
    expect((await importInto(world, bundle)).names).toMatchObject([{ outcome: "imported" }]);
    expect(await isServed(world, "team/app", "1")).toBe(true);
    expect(await isServed(world, "team/app", image.digest)).toBe(true);
  });

  it("with content of sha512 digests is served by these", async () => {
    const world = await withoutALine();
    const layer = patternBytes(7, 0, 70_000);
    const config = json({ os: "linux" });
    const digest = digestOf(layer, "sha512");
    const manifest = thing({
      ...{ schemaVersion: 2, mediaType: OCI_MANIFEST },
      config: {
        mediaType: "application/vnd.oci.image.config.v1+json",
        digest: digestOf(config),
        size: config.length,
      },
      layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: layer.length }],
    });
    const named = { ...manifest, digest: digestOf(manifest.bytes, "sha512") };
    const tar = await tarOf([
      indexEntry([[APP, named]]),
      blobEntry(manifest.bytes, named.digest),
      blobEntry(config),
      blobEntry(layer, digest),
    ]);
    expect((await importInto(world, tar)).names).toMatchObject([{ outcome: "imported" }]);
    expect((await world.get("team/app", "1")).manifest.digest).toBe(named.digest);
    expect((await world.read("team/app", digest)).equals(layer)).toBe(true);
  });

  it("of an image of schema 1, whose layers have no sizes, takes no more room than there is", async () => {
    const world = await withoutALine({ budget: { maxSize: 2 * MiB, minFree: 0 } });
    const [small, large] = [patternBytes(1, 0, 1_000), patternBytes(2, 0, 4 * MiB)];
    const old = (layers: readonly Uint8Array[]) =>
      thing(
        {
          ...{ schemaVersion: 1, name: "team/app", tag: "1", architecture: "amd64", history: [] },
          fsLayers: layers.map((layer) => ({ blobSum: digestOf(layer) })),
        },
        DOCKER_SCHEMA1,
      );
    const [fits, not] = [old([small]), old([small, large])];
    const tar = await tarOf([
      indexEntry([
        [APP, fits],
        [`${UPSTREAM}/team/app:2`, not],
      ]),
      ...[fits.bytes, not.bytes, small, large].map((bytes) => blobEntry(bytes)),
    ]);
    const report = await importInto(world, tar);
    expect(report.names).toMatchObject([
      { outcome: "imported" },
      { outcome: "refused", reason: expect.stringContaining("storage.maxSize") },
    ]);
    expect(await world.metadata.blob(digestOf(large))).toBeUndefined();
    expect(await world.store.spool.list()).toEqual([]);
    expect(report.copied).toBe(small.length);
  });

  it("whose documents are bombs is refused without reading all of them", async () => {
    const world = await withoutALine();
    const deep = Buffer.from(`{"manifests":${"[".repeat(3_000_000)}`);
    await expect(
      importInto(world, await tarOf([{ name: "index.json", content: deep }])),
    ).rejects.toMatchObject({
      code: "manifest-invalid",
    });
    const large = Buffer.alloc(17 * MiB, 0x20);
    await expect(
      importInto(world, await tarOf([{ name: "index.json", content: large }])),
    ).rejects.toMatchObject({
      code: "manifest-invalid",
    });
    const bomb = { digest: digestOf(large), bytes: large, mediaType: OCI_MANIFEST };
    const tar = await tarOf([indexEntry([[APP, bomb]]), blobEntry(large)]);
    await expect(importInto(world, tar)).rejects.toMatchObject({ code: "manifest-invalid" });
    const nested = { ...thing({}), bytes: deep, digest: digestOf(deep) };
    const report = await importInto(world, await tarOf([indexEntry([[APP, nested]]), blobEntry(deep)]));
    expect(report.names).toMatchObject([{ outcome: "refused" }]);
  });

  it("whose sizes are wrong is told so, name by name", async () => {
    const world = await withoutALine();
    const layer = patternBytes(7, 0, 5_000);
    const stating = (size: unknown) =>
      thing({
        ...{ schemaVersion: 2, mediaType: OCI_MANIFEST, layers: [] },
        config: { mediaType: "a/b", digest: digestOf(layer), size },
      });
    const importing = async (size: unknown) => {
      const manifest = stating(size);
      const name = `${UPSTREAM}/team/app:${encodedOf(manifest.digest).slice(0, 9)}`;
      const tar = await tarOf([indexEntry([[name, manifest]]), blobEntry(manifest.bytes), blobEntry(layer)]);
      return (await importInto(world, tar)).names[0]?.outcome;
    };
    for (const size of [4_999, 5_001]) expect(await importing(size)).toBe("damaged");
    for (const size of [0, -1, 1e300, "5000", undefined]) {
      expect(await importing(size), `${size}`).toBe("imported");
      expect(await world.read("team/app", digestOf(layer))).toHaveLength(5_000);
    }
  });

  it("with layers that only their maker has leaves those out, also where the bundle has them", async () => {
    const world = await withoutALine();
    const [config, layer] = [json({ os: "windows" }), patternBytes(3, 0, 100)];
    const foreign = (mediaType: string, seed: number) => {
      const bytes = patternBytes(seed, 0, 300);
      return { mediaType, digest: digestOf(bytes), size: 300, urls: ["https://example.test/layer"] };
    };
    const manifest = thing({
      ...{ schemaVersion: 2, mediaType: OCI_MANIFEST },
      config: {
        mediaType: "application/vnd.oci.image.config.v1+json",
        digest: digestOf(config),
        size: config.length,
      },
      layers: [
        foreign("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", 21),
        foreign("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", 22),
        { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: digestOf(layer), size: layer.length },
      ],
    });
    const tar = await tarOf([
      indexEntry([[APP, manifest]]),
      ...[manifest.bytes, config, layer].map((bytes) => blobEntry(bytes)),
    ]);
    expect((await importInto(world, tar)).names).toMatchObject([{ outcome: "imported" }]);
    expect(await world.read("team/app", digestOf(layer))).toHaveLength(100);
  });

  it("whose names are no references, or name no upstream here, is told so for each, without acting on a terminal", async () => {
    const world = await withoutALine();
    const image = madeImage(1);
    const names = [
      "../../x",
      "x y:1",
      "",
      "registry.other.test/a:1",
      `${UPSTREAM}/UPPER/a:1`,
      `${UPSTREAM}/a:\u001b[31m`,
    ];
    const tar = await tarOf([
      indexEntry(names.map((name) => [name, { ...image, bytes: image.manifest }] as const)),
      ...[image.manifest, ...image.blobs].map((bytes) => blobEntry(bytes)),
    ]);
    const report = await importInto(world, tar);
    expect(report.names).toHaveLength(names.length);
    for (const { outcome, reason } of report.names) {
      expect(outcome).toBe("refused");
      expect(reason).toMatch(/--as NAME/);
    }
    expect(report.copied).toBe(0);
  });

  it.each([
    ["gzip", "1f8b08"],
    ["zstd", "28b52ffd"],
  ])("that is packed by %s and comes as it is is refused, with what to do", async (packing, magic) => {
    const world = await withoutALine();
    const bytes = Buffer.concat([Buffer.from(magic, "hex"), patternBytes(1, 0, 5_000)]);
    await expect(importInto(world, bytes)).rejects.toMatchObject({
      code: "manifest-invalid",
      message: expect.stringContaining(packing),
    });
  });
});

describe("two imports of the same at once", () => {
  it("both end well, and what they bring is right", async () => {
    const world = await withoutALine();
    const image = madeImage(1, [3_000_000, 70_000]);
    const bundle = await madeBundle({ [APP]: image });
    const reports = await Promise.all([1, 2, 3].map(() => importInto(world, bundle)));
    for (const { names } of reports) expect(["imported", "present"]).toContain(names[0]?.outcome);
    for (const blob of image.blobs)
      expect((await world.read("team/app", digestOf(blob))).equals(blob)).toBe(true);
    expect(await world.store.spool.list()).toEqual([]);
  });

  it("the one with a wrong byte says so, and spoils nothing of the other", async () => {
    const world = await withoutALine();
    const image = madeImage(1, [3_000_000]);
    const layer = digestOf(image.blobs[1] ?? Buffer.of());
    const [good, bad] = [
      await madeBundle({ [APP]: image }),
      await madeBundle({ [`${UPSTREAM}/team/bad:1`]: image }, { wrong: [layer] }),
    ];
    const [sound, spoilt] = await Promise.all([importInto(world, good), importInto(world, bad)]);
    expect(sound.names).toMatchObject([{ outcome: "imported" }]);
    expect(["damaged", "imported"]).toContain(spoilt.names[0]?.outcome);
    expect((await world.read("team/app", layer)).length).toBe(3_000_000);
  });

  it("an import beside a pull of the same ends well for both", async () => {
    const world = await startWorld();
    const bytes = patternBytes(9, 0, 3_000_000);
    const placed = world.fake.addBlob(bytes, "team/app");
    const image = thing({
      ...{ schemaVersion: 2, mediaType: OCI_MANIFEST, layers: [] },
      config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: placed, size: bytes.length },
    });
    world.fake.addManifest("team/app", "1", image.bytes, OCI_MANIFEST);
    const tar = await tarOf([indexEntry([[APP, image]]), blobEntry(image.bytes), blobEntry(bytes)]);
    await world.get("team/app", "1");
    const [report, read] = await Promise.all([importInto(world, tar), world.read("team/app", placed)]);
    expect(report.names).toMatchObject([{ outcome: "imported" }]);
    expect(read.equals(bytes)).toBe(true);
  });
});
