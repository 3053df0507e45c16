/** Shows that no blob is served as empty, or cut, because somebody stated a size that it has not. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type Digest, digestOf, parseDigest, possibleSize } from "../../src/oci/digest.ts";
import { OCI_MANIFEST } from "../../src/oci/media-types.ts";
import type { FakeRegistry } from "../support/fake-registry.ts";
import { type MirrorWorld, startWorld } from "../support/mirror-world.ts";
import { digestOfPattern, firstDifference } from "../support/pattern.ts";

const SEED = 11;
const SIZE = 700_000;
const digest = digestOfPattern(SEED, SIZE);
const NOTHING = digestOf(Buffer.alloc(0));
const EMPTY = { "content-length": "0" };

function publish(fake: FakeRegistry, of: Digest, size: number): void {
  const part = { mediaType: "x/y", digest: of, size };
  const text = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: part, layers: [part] });
  fake.addManifest("a/b", "1", Buffer.from(text), OCI_MANIFEST);
}

async function worldWithBlob(options: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld(options);
  world.fake.addGeneratedBlob({ seed: SEED, size: SIZE });
  return world;
}

async function expectWhole(world: MirrorWorld): Promise<void> {
  const bytes = await world.read("a/b", digest);
  expect(bytes).toHaveLength(SIZE);
  expect(firstDifference(SEED, 0, bytes)).toBeUndefined();
  const range = { start: 10, end: 5000 };
  expect(firstDifference(SEED, 10, await world.read("a/b", digest, range))).toBeUndefined();
}

describe("a size of 0 that a registry says of what is not empty", () => {
  it("in a HEAD is not believed: the answer with bytes tells, whoever asks first and how", async () => {
    for (const first of ["stat", "read"] as const) {
      const world = await worldWithBlob();
      world.fake.fail(/blobs/, { kind: "headers", headers: EMPTY }, { method: "HEAD", times: 100 });
      if (first === "stat") expect(await world.stat("a/b", digest)).toMatchObject({ size: SIZE });
      await expectWhole(world);
      expect(await world.stat("a/b", digest)).toMatchObject({ size: SIZE });
      await world.fills(0);
      expect(await world.stat("a/b", digest)).toMatchObject({ size: SIZE, outcome: "hit" });
    }
  });

  it("in a descriptor is not believed, and what was recorded of it before neither", async () => {
    const world = await worldWithBlob();
    publish(world.fake, digest, 0);
    await world.get("a/b", "1");
    const where = { upstream: "fake.test", repository: "a/b" };
    const size = 0;
    await world.metadata.recordLink(where, { kind: "stated", digest, size });
    await world.metadata.recordLink(where, {
      kind: "confirmed",
      digest,
      size,
      isMeasured: true,
      mediaType: undefined,
    });
    expect(await world.stat("a/b", digest)).toMatchObject({ size: SIZE });
    await expectWhole(world);
  });

  it("in an answer to a GET ends nobody's blob: it is asked for again", async () => {
    const world = await worldWithBlob();
    publish(world.fake, digest, SIZE);
    await world.get("a/b", "1");
    world.fake.fail(
      /blobs/,
      { kind: "short", afterBytes: 0, framing: "wrong-length" },
      { method: "GET", times: 2 },
    );
    world.fake.fail(/blobs/, { kind: "status", status: 200 }, { method: "GET", times: 2 });
    await expectWhole(world);
  });

  it("in a HEAD of a manifest is not told to anybody", async () => {
    const world = await worldWithBlob();
    publish(world.fake, digest, SIZE);
    world.fake.fail(/manifests/, { kind: "headers", headers: EMPTY }, { method: "HEAD", times: 100 });
    const head = await world.head("a/b", "1");
    const { manifest } = await world.get("a/b", "1");
    expect(head.size).toBe(manifest.bytes.length);
    expect((await world.head("a/b", head.digest)).size).toBe(manifest.bytes.length);
  });
});

describe("the digest of nothing", () => {
  it("has no bytes, whatever somebody states of it", async () => {
    const world = await startWorld();
    world.fake.addBlob(Buffer.alloc(0));
    publish(world.fake, NOTHING, 5);
    await world.get("a/b", "1");
    world.fake.fail(
      /blobs/,
      { kind: "headers", headers: { "content-length": "5" } },
      { method: "HEAD", times: 9 },
    );
    expect(await world.stat("a/b", NOTHING)).toMatchObject({ size: 0 });
    expect(await world.read("a/b", NOTHING)).toHaveLength(0);
  });

  it("is that of sha256 and of sha512 alone", () => {
    for (const algorithm of ["sha256", "sha512"]) {
      const nothing = parseDigest(`${algorithm}:${createHash(algorithm).digest("hex")}`);
      expect([undefined, 0, 7].map((size) => possibleSize(nothing, size))).toEqual([0, 0, 0]);
    }
    expect([undefined, 0, 7].map((size) => possibleSize(digest, size))).toEqual([undefined, undefined, 7]);
  });
});

it("a wrong size that a HEAD told is corrected by the manifest, by the answer with bytes, and by the blob itself", async () => {
  const world = await worldWithBlob();
  world.fake.fail(
    /blobs/,
    { kind: "headers", headers: { "content-length": "1234" } },
    { method: "HEAD", times: 100 },
  );
  expect(await world.stat("a/b", digest)).toMatchObject({ size: 1234 });
  publish(world.fake, digest, SIZE);
  await world.get("a/b", "1");
  expect(await world.stat("a/b", digest)).toMatchObject({ size: SIZE });
  await expectWhole(world);
  await world.fills(0);
  expect(await world.stat("a/other", digest)).toMatchObject({ size: SIZE });
});

it("a wrong size that a HEAD told, and no manifest, fails one reader and no other", async () => {
  const world = await worldWithBlob();
  const wrong = { "content-length": "1234" };
  world.fake.fail(/blobs/, { kind: "headers", headers: wrong }, { method: "HEAD", times: 100 });
  await expect(world.read("a/b", digest)).rejects.toMatchObject({ code: "size-mismatch" });
  await expectWhole(world);
  expect(await world.stat("a/b", digest)).toMatchObject({ size: SIZE });
});
