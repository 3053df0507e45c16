/** What the status says beyond the engine: what would be evicted next, by the names that people use, and what each blob that fills is. */
import { expect, test } from "vitest";
import type { Digest } from "../../../src/oci/digest.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../../support/mirror-world.ts";
import { eventually } from "../../support/patience.ts";

const LATER_MS = 6_000;

/** Blobs of one MiB each, used a second apart; the first one is the coldest. */
async function readInTurn(world: MirrorWorld, count: number, repository = "a/b"): Promise<Digest[]> {
  const digests: Digest[] = [];
  for (let seed = 1; seed <= count; seed++) {
    const digest = world.fake.addGeneratedBlob({ seed, size: MiB }, repository);
    await world.read(repository, digest);
    await world.fills(0);
    world.clock.aheadMs += 1_000;
    digests.push(digest);
  }
  return digests;
}

async function next(world: MirrorWorld) {
  world.clock.aheadMs += LATER_MS;
  // What is known is told at once, and read again behind that.
  await world.mirror.status();
  await eventually(async () => expect((await world.mirror.status()).disk.next).toBeDefined());
  return (await world.mirror.status()).disk.next ?? [];
}

test("the first five that would go are told in their order, with their size, last use and repositories", async () => {
  const world = await startWorld();
  expect((await world.mirror.status()).disk.next).toEqual([]);
  const digests = await readInTurn(world, 7);
  await world.read("a/b", digests[0] ?? "");
  await eventually(async () =>
    expect((await next(world)).map(({ what }) => what)).toEqual(digests.slice(1, 6)),
  );
  expect((await next(world))[0]).toEqual({
    kind: "blob",
    what: digests[1],
    size: MiB,
    usedAt: expect.any(Number),
    names: [`${UPSTREAM}/a/b`],
  });
});

test("what a keep rule stands for and what is being read is not told as going, and looking evicts nothing", async () => {
  const world = await startWorld({ keep: [`${UPSTREAM}/kept/**`] });
  const [kept] = await readInTurn(world, 1, "kept/app");
  const extra = world.fake.addGeneratedBlob({ seed: 20, size: MiB }, "a/b");
  const cold = world.fake.addGeneratedBlob({ seed: 21, size: MiB }, "a/b");
  for (const digest of [extra, cold]) {
    await world.read("a/b", digest);
    await world.fills(0);
    world.clock.aheadMs += 1_000;
  }
  const { blob } = await world.open("a/b", extra);
  await eventually(async () => expect((await next(world)).map(({ what }) => what)).toEqual([cold]));
  blob.release();
  await eventually(async () =>
    expect((await next(world)).map(({ what }) => what).sort()).toEqual([cold, extra].sort()),
  );
  expect((await world.stat("kept/app", kept ?? "")).outcome).toBe("hit");
  expect((await world.stat("a/b", cold)).outcome).toBe("hit");
});

test("it is read once in a few seconds, however often somebody looks", async () => {
  const world = await startWorld();
  await readInTurn(world, 2);
  const before = await next(world);
  await world.read("a/b", before[0]?.what ?? "");
  for (let look = 0; look < 20; look++) expect((await world.mirror.status()).disk.next).toEqual(before);
});

test("of a blob that fills it is told what it is to its image, as soon as the manifest is here", async () => {
  const world = await startWorld();
  const image = world.fake.addImage("library/alpine", "3", { layers: [200_000] });
  await world.get("library/alpine", "3");
  const [layer = ""] = image.layerDigests;
  const unlisted = world.fake.addGeneratedBlob({ seed: 9, size: MiB }, "library/alpine");
  world.fake.fail(/blobs/, { kind: "stall", afterBytes: 100 }, { times: 10 });
  const opened = await Promise.all(
    [layer, image.configDigest, unlisted].map((digest) => world.open("library/alpine", digest)),
  );
  const readers = opened.map(({ blob }) => blob.reader());
  for (const reader of readers) void reader.read(new Uint8Array(10)).catch(() => undefined);
  await eventually(async () => {
    const { fills } = await world.mirror.status();
    expect(new Map(fills.map(({ digest, role }) => [digest, role]))).toEqual(
      new Map([
        [layer, "layer"],
        [image.configDigest, "config"],
        [unlisted, undefined],
      ]),
    );
  });
  for (const reader of readers) reader.close();
  for (const { blob } of opened) blob.release();
  await world.fills(0);
});
