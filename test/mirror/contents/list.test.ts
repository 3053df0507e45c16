/** Shows the list of contents: what each line says, its order and pages, also of a store with ten thousand repositories. */
import { expect, it } from "vitest";
import { openDatabase } from "../../../src/metadata/database.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../../support/mirror-world.ts";

const ALL = { sort: "name", limit: 100 } as const;

/** Pulls an image with one layer; `bytes` of the layer are read. */
async function pull(world: MirrorWorld, repository: string, tag: string, seed: number, size: number) {
  const image = world.fake.addImage(repository, tag, { seed, layers: [size] });
  await world.get(repository, tag);
  for (const digest of [image.configDigest, ...image.layerDigests]) await world.read(repository, digest);
  await world.fills(0);
  world.clock.aheadMs += 1_000;
  return image;
}

const names = (items: readonly { repository: string; tag?: string }[]) =>
  items.map(({ repository, tag }) => (tag === undefined ? repository : `${repository}:${tag}`));

it("says of each repository how much of it is here, and of each tag what it has", async () => {
  const world = await startWorld();
  const { contents } = world.mirror;
  await pull(world, "a/whole", "1", 1, 1_000);
  const cold = world.fake.addImage("a/cold", "2", { seed: 9, layers: [5_000] });
  await world.get("a/cold", "2");
  await world.read("a/cold", cold.configDigest);
  await world.fills(0);
  const { items } = await contents.list(ALL);
  expect(names(items)).toEqual(["a/cold", "a/whole"]);
  const [part, whole] = items;
  expect(whole).toMatchObject({ tags: 1, manifests: 1, partial: 0, size: whole?.wanted });
  expect((part?.wanted ?? 0) - (part?.size ?? 0)).toBe(5_000);
  const tags = await contents.list({ ...ALL, by: "tag", pattern: `${UPSTREAM}/a/**` });
  expect(names(tags.items)).toEqual(["a/cold:2", "a/whole:1"]);
  expect(tags.items[1]).toMatchObject({ size: whole?.size, wanted: whole?.wanted });
});

it("comes by size and by last use, as pages, and by a part of a name", async () => {
  const world = await startWorld();
  const { contents } = world.mirror;
  await pull(world, "a/large", "1", 1, 3_000);
  await pull(world, "a/small", "1", 10, 1_000);
  await pull(world, "a/middle", "1", 20, 2_000);
  const list = async (query: Partial<Parameters<typeof contents.list>[0]>) =>
    names((await contents.list({ ...ALL, ...query })).items);
  expect(await list({ sort: "size" })).toEqual(["a/large", "a/middle", "a/small"]);
  expect(await list({ sort: "used" })).toEqual(["a/middle", "a/small", "a/large"]);
  expect(await list({ search: "MID" })).toEqual(["a/middle"]);
  const first = await contents.list({ ...ALL, limit: 2 });
  expect([names(first.items), first.count]).toEqual([["a/large", "a/middle"], 3]);
  const second = await contents.list({ ...ALL, limit: 2, after: first.next });
  expect([names(second.items), second.next]).toEqual([["a/small"], undefined]);
});

it("goes back page by page, comes the other way round, and by upstream, where nothing is no error", async () => {
  const world = await startWorld();
  const { contents } = world.mirror;
  for (const [index, name] of ["a", "b", "c", "d", "e"].entries())
    await pull(world, `o/${name}`, "1", index * 10, 1_000 + index * 1_000);
  const page = async (query: Partial<Parameters<typeof contents.list>[0]> = {}) =>
    await contents.list({ ...ALL, limit: 2, ...query });
  const first = await page();
  expect([first.place, first.previous]).toEqual([0, undefined]);
  const second = await page({ after: first.next });
  expect([names(second.items), second.place, second.previous]).toEqual([["o/c", "o/d"], 2, ""]);
  const third = await page({ after: second.next });
  expect([names(third.items), third.place, third.next]).toEqual([["o/e"], 4, undefined]);
  expect(await page({ after: third.previous })).toEqual(second);
  expect(await page({ after: second.previous })).toEqual(first);

  const smallest = await page({ sort: "size", reverse: true });
  expect(names(smallest.items)).toEqual(["o/a", "o/b"]);
  const next = await page({ sort: "size", reverse: true, after: smallest.next });
  expect(names(next.items)).toEqual(["o/c", "o/d"]);
  expect(names((await page({ reverse: true })).items)).toEqual(["o/e", "o/d"]);

  expect((await page({ upstream: UPSTREAM })).count).toBe(5);
  expect(await page({ upstream: "elsewhere.test" })).toMatchObject({ items: [], count: 0 });
});

it("shows an image of an index by its platform, and how much of a layer is here that was begun", async () => {
  const policy = {
    smallBlob: 1_000,
    firstSegment: 64 * 1024,
    largestSegment: 64 * 1024,
    lanes: 1,
    lingerMs: 0,
  };
  const world = await startWorld({
    upstream: { policy },
    settings: { bandwidth: { registry: MiB, cdn: undefined } },
  });
  const arm = world.fake.addImage("a/b", undefined, { seed: 1, layers: [MiB] });
  const amd = world.fake.addImage("a/b", undefined, { seed: 5, layers: [1_000] });
  world.fake.addIndex("a/b", "1", [
    { digest: arm.manifestDigest, platform: "linux/arm64" },
    { digest: amd.manifestDigest, platform: "linux/amd64" },
  ]);
  await world.get("a/b", "1");
  await world.get("a/b", arm.manifestDigest);
  const [layer = ""] = arm.layerDigests;
  const { blob } = await world.open("a/b", layer);
  const reader = blob.reader();
  await reader.read(new Uint8Array(1_000));
  const shown = await world.mirror.contents.show(`${UPSTREAM}/a/b:1`);
  const images = shown.names[0]?.images ?? [];
  expect(images.map(({ platform, isStored }) => [platform, isStored])).toEqual([
    ["linux/arm64", true],
    ["linux/amd64", false],
  ]);
  const part = images[0]?.parts.find(({ digest }) => digest === layer);
  expect(part?.present).toBeGreaterThan(0);
  expect(part?.present).toBeLessThan(MiB);
  expect(part?.runs?.[0]).toEqual({ start: 0, end: expect.any(Number) });
  reader.close();
  blob.release();
  // The same of one that is saved, once nobody reads it any more.
  await world.fills(0);
  const saved = (await world.mirror.contents.show(`${UPSTREAM}/a/b:1`)).names[0]?.images[0];
  const rest = saved?.parts.find(({ digest }) => digest === layer);
  expect(rest?.runs?.reduce((sum, { start, end }) => sum + end - start, 0)).toBe(rest?.present);
  expect(rest?.present).toBeGreaterThan(0);
});

it("what a builder attests is no platform of a tag, also where it is here", async () => {
  const world = await startWorld();
  const image = world.fake.addImage("a/b", undefined, { seed: 1, layers: [1_000] });
  const attested = world.fake.addImage("a/b", undefined, { seed: 5, layers: [100] });
  world.fake.addIndex("a/b", "1", [
    { digest: image.manifestDigest, platform: "linux/arm64" },
    { digest: attested.manifestDigest, platform: "unknown/unknown" },
  ]);
  for (const reference of ["1", image.manifestDigest, attested.manifestDigest])
    await world.get("a/b", reference);
  for (const digest of [...image.layerDigests, ...attested.layerDigests]) await world.read("a/b", digest);
  await world.fills(0);
  const { items } = await world.mirror.contents.list({ ...ALL, by: "tag" });
  expect(items).toMatchObject([{ tag: "1", platforms: ["linux/arm64"], size: 1_100 }]);
});

it("an image that no index lists is shown with the platform of its config, once that is here", async () => {
  const world = await startWorld();
  const { configDigest } = world.fake.addImage("a/b", "1", { layers: [1_000] });
  await world.get("a/b", "1");
  const platform = async () =>
    (await world.mirror.contents.show(`${UPSTREAM}/a/b:1`)).names[0]?.images[0]?.platform;
  expect(await platform()).toBeUndefined();
  await world.read("a/b", configDigest);
  await world.fills(0);
  expect(await platform()).toBe("linux/amd64");
});

it("of ten thousand repositories holds nobody up", async () => {
  const world = await startWorld({
    before: async (store) => {
      const { metadata } = openDatabase(store.layout.database);
      for (let index = 0; index < 10_000; index++) {
        const layer = digestOf(Buffer.from(`layer ${index}`));
        const document = {
          schemaVersion: 2,
          config: { digest: layer, size: 7 },
          layers: [{ digest: layer, size: 7 }],
        };
        const bytes = Buffer.from(JSON.stringify(document));
        const manifest = { digest: digestOf(bytes), mediaType: OCI_MANIFEST, bytes };
        const where = { upstream: UPSTREAM, repository: `many/r${index}` };
        await metadata.recordManifest(where, manifest, [{ digest: layer, size: 7 }]);
        const tag = {
          ...where,
          tag: "1",
          acceptClass: "",
          mediaType: OCI_MANIFEST,
          size: bytes.length,
          checkedAt: 1,
        };
        await metadata.recordTag({ ...tag, digest: manifest.digest });
      }
      await metadata.close();
    },
  });
  let turns = 0;
  const counting = setInterval(() => turns++, 1);
  const page = await world.mirror.contents.list({ sort: "size", limit: 50 });
  clearInterval(counting);
  expect([page.items.length, page.count]).toEqual([50, 10_000]);
  // However slow the machine is, others had their turn again and again meanwhile.
  expect(turns).toBeGreaterThan(10);
}, 240_000);

it("of a database from before there were edges says the same after they were added", async () => {
  const world = await startWorld();
  await pull(world, "a/b", "1", 1, 1_000);
  const before = await world.mirror.contents.list(ALL);
  await world.restart(async () => {
    const { default: Sqlite } = await import("better-sqlite3");
    const file = new Sqlite(world.store.layout.database);
    file.exec("DELETE FROM edges; INSERT INTO edge_backfill (after_digest) VALUES ('')");
    file.close();
  });
  expect(await world.mirror.contents.list(ALL)).toEqual(before);
});
