/** Shows what a kill in the middle of a removal leaves, that the next start ends it, and that the sums are right then. */
import { expect, it } from "vitest";
import { openDatabase } from "../../../src/metadata/database.ts";
import type { FakeImage } from "../../support/fake-registry.ts";
import { MiB, type MirrorWorld, readAll, startWorld, UPSTREAM } from "../../support/mirror-world.ts";
import { eventually } from "../../support/patience.ts";

async function pull(
  world: MirrorWorld,
  repository: string,
  seed: number,
  layers = [MiB / 8, MiB / 4],
): Promise<FakeImage> {
  const image = world.fake.addImage(repository, "1", { seed, layers });
  await world.get(repository, "1");
  for (const digest of [image.configDigest, ...image.layerDigests]) await world.read(repository, digest);
  await world.fills(0);
  return image;
}

/** The bytes of blobs that are here, as the disk has them and as the sums say. */
async function bytesOf(world: MirrorWorld, images: readonly FakeImage[]) {
  let onDisk = 0;
  for (const image of images)
    for (const digest of [image.configDigest, ...image.layerDigests])
      onDisk += (await world.store.blobs.stat(digest))?.size ?? 0;
  return { onDisk, inSums: (await world.metadata.sums()).bytes };
}

it.each(["the names have left", "the rows of its blobs have left too", "the first of its files is gone too"])(
  "a kill when %s: the next start removes the rest, leaves what others need, and is right about the room",
  async (when) => {
    const world = await startWorld();
    const gone = await pull(world, "a/gone", 1);
    const stays = await pull(world, "a/stays", 50);
    const [layer] = gone.layerDigests;
    await world.restart(async () => {
      const { contents, metadata, close } = openDatabase(world.store.layout.database);
      await contents.leave({ upstream: UPSTREAM, repository: "a/gone", isAll: true, tags: [], digests: [] });
      if (when !== "the names have left")
        await metadata.forgetBlobs([gone.configDigest, ...gone.layerDigests]);
      if (when.includes("files") && layer !== undefined) await world.store.blobs.remove(layer);
      await close();
    });
    const { onDisk, inSums } = await bytesOf(world, [gone, stays]);
    expect(onDisk).toBe(inSums);
    expect(await bytesOf(world, [gone])).toMatchObject({ onDisk: 0 });
    expect((await bytesOf(world, [stays])).onDisk).toBeGreaterThan(MiB / 4);
    await world.restart();
    expect(await bytesOf(world, [gone, stays])).toEqual({ onDisk, inSums });
  },
);

it("what was pulled again after its name had left stays at the next start", async () => {
  const world = await startWorld();
  const again = await pull(world, "a/again", 1);
  await world.restart(async () => {
    const { contents, metadata, close } = openDatabase(world.store.layout.database);
    await contents.leave({ upstream: UPSTREAM, repository: "a/again", isAll: true, tags: [], digests: [] });
    const [digest = again.configDigest] = again.layerDigests;
    const where = { upstream: UPSTREAM, repository: "a/other" };
    await metadata.recordLink(where, { kind: "stated", digest, size: MiB / 8 });
    await close();
  });
  const here = await Promise.all(again.layerDigests.map((digest) => world.metadata.blob(digest)));
  expect(here.map((row) => row !== undefined)).toEqual([true, false]);
});

it("several slow readers, one of a stored layer and one of a fill that runs, keep it until the last has ended", async () => {
  const world = await startWorld({ settings: { bandwidth: { registry: 2 * MiB, cdn: 2 * MiB } } });
  const image = await pull(world, "a/b", 1, [MiB]);
  const coming = world.fake.addImage("a/b", "2", { seed: 9, layers: [3 * MiB] });
  await world.get("a/b", "2");
  const [stored = image.configDigest] = image.layerDigests;
  const [filled = image.configDigest] = coming.layerDigests;
  const open = await Promise.all([stored, stored, filled, filled].map((digest) => world.open("a/b", digest)));
  const readers = open.map(({ blob }) => blob.reader());
  for (const reader of readers) await reader.read(Buffer.alloc(1_000));
  const removed = await world.mirror.contents.remove(`${UPSTREAM}/a/b`, {});
  expect(removed.later).toBeGreaterThanOrEqual(MiB);
  expect((await world.metadata.tagsOf({ upstream: UPSTREAM, repository: "a/b" })).length).toBe(0);
  const lengths: number[] = [];
  for (const [index, reader] of readers.entries()) {
    if (index === 1) expect(await world.store.blobs.stat(stored)).toBeDefined();
    lengths.push((await readAll(reader)).length + 1_000);
    reader.close();
    open[index]?.blob.release();
  }
  expect(lengths).toEqual([MiB, MiB, 3 * MiB, 3 * MiB]);
  await eventually(async () => {
    for (const digest of [stored, filled]) {
      expect(await world.store.blobs.stat(digest)).toBeUndefined();
      expect(await world.metadata.blob(digest)).toBeUndefined();
    }
    expect((await world.metadata.sums()).bytes).toBe(0);
    expect((await world.store.spool.list()).length).toBe(0);
  });
});

it("much leaves bit by bit with its sums, and a stop between two repositories leaves the rest whole", async () => {
  const world = await startWorld();
  const images: FakeImage[] = [];
  for (let index = 0; index < 6; index++) images.push(await pull(world, `a/r${index}`, index * 10 + 1));
  await world.mirror.contents.keep(`${UPSTREAM}/a/r5`, false);
  const stop = new AbortController();
  const seen: number[] = [];
  const part = await world.mirror.contents.removeMuch(
    `${UPSTREAM}/**`,
    {},
    {
      signal: stop.signal,
      onProgress: ({ sums, things }) => {
        expect(things).toBe(5);
        seen.push(sums.repositories);
        if (sums.repositories === 2) stop.abort();
      },
    },
  );
  expect(seen).toEqual([1, 2]);
  expect(part).toMatchObject({ names: 2, repositories: 2, blobs: 6, kept: [{ rule: `${UPSTREAM}/a/r5` }] });
  const rest = await world.mirror.contents.removeMuch(
    `${UPSTREAM}/**`,
    {},
    {
      signal: new AbortController().signal,
      onProgress: () => undefined,
    },
  );
  expect(rest).toMatchObject({ names: 3, repositories: 3, blobs: 9, later: 0 });
  const { onDisk, inSums } = await bytesOf(world, images);
  expect([onDisk, onDisk > MiB / 4]).toEqual([inSums, true]);
  const told = world.records.events.since(0).filter(({ kind }) => kind === "removed");
  expect(told.map(({ facts }) => facts.names)).toEqual([2, 3]);
});
