/** Shows that no blob is served as empty, or cut, because somebody stated a size that it has not. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { mirrorSource } from "../../src/mirror/mirror-source.ts";
import { type Digest, digestOf, parseDigest, possibleSize } from "../../src/oci/digest.ts";
import { OCI_MANIFEST } from "../../src/oci/media-types.ts";
import type { FakeRegistry } from "../support/fake-registry.ts";
import { MiB, type MirrorWorld, readAll, startWorld } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";
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

describe("a blob whose size nobody states", () => {
  const hidesSizes = { hidesSizes: true };

  it("is read once, by all who ask meanwhile, and has its size from then on", async () => {
    const settings = { ...hidesSizes, bandwidth: { registry: 4 * MiB, cdn: undefined } };
    const world = await worldWithBlob({ settings });
    expect(await world.stat("a/b", digest)).toMatchObject({ size: undefined, outcome: "miss" });
    world.fake.forgetRequests();
    const bodies = await Promise.all(Array.from({ length: 8 }, () => world.read("a/b", digest)));
    for (const body of bodies) {
      expect(body).toHaveLength(SIZE);
      expect(firstDifference(SEED, 0, body)).toBeUndefined();
    }
    await world.fills(0);
    expect(world.fake.requests.map(({ method }) => method)).toEqual(["GET"]);
    expect(await world.stat("a/b", digest)).toMatchObject({ size: SIZE, outcome: "hit" });
    await world.restart(() => world.fake.pause());
    await expectWhole(world);
  });

  it("is given out as it comes, a range of it as soon as it is there, and one beyond its end never", async () => {
    const world = await worldWithBlob({ settings: hidesSizes });
    await world.stat("a/b", digest);
    world.fake.fail(/blobs/, { kind: "drip", bytes: 50_000, everyMs: 20 }, { method: "GET" });
    const { blob } = await world.open("a/b", digest);
    const whole = blob.reader();
    const first = await whole.read(new Uint8Array(MiB));
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(SIZE);
    const inside = blob.reader({ start: 400_000, end: 500_000 });
    const beyond = blob.reader({ start: SIZE - 10, end: SIZE + 10 });
    const [part, failure] = await Promise.all([readAll(inside), readAll(beyond).catch((error) => error)]);
    expect(firstDifference(SEED, 400_000, part)).toBeUndefined();
    expect(failure).toMatchObject({ code: "range-unsatisfiable" });
    expect(await readAll(whole)).toHaveLength(SIZE - first);
    for (const reader of [whole, inside, beyond]) reader.close();
    blob.release();
  });

  it.each([
    ["a cut, which it goes on after", { kind: "cut", afterBytes: 300_000 }, true],
    ["wrong bytes, of which nobody gets the last", { kind: "flip", offset: 5000 }, false],
    [
      "an end that comes too early and cleanly",
      { kind: "short", afterBytes: 300_000, framing: "chunked" },
      false,
    ],
  ] as const)("survives %s", async (_name, fault, isOvercome) => {
    const world = await worldWithBlob({ settings: hidesSizes });
    await world.stat("a/b", digest);
    world.fake.fail(/blobs/, fault, { method: "GET" });
    const reading = world.read("a/b", digest);
    if (!isOvercome) await expect(reading).rejects.toMatchObject({ code: "digest-mismatch" });
    else expect(firstDifference(SEED, 0, await reading)).toBeUndefined();
    await expectWhole(world);
    await world.fills(0);
    expect(await world.store.spool.list()).toEqual([]);
  });

  it("keeps to the budget: what does not fit passes through, and nothing is left of it", async () => {
    const world = await worldWithBlob({ settings: hidesSizes, budget: { maxSize: 400_000, minFree: 0 } });
    for (let pass = 0; pass < 2; pass++) {
      const bytes = await world.read("a/b", digest);
      expect(bytes).toHaveLength(SIZE);
      expect(firstDifference(SEED, 0, bytes)).toBeUndefined();
      await world.fills(0);
    }
    await eventually(async () => expect(await world.store.spool.list()).toEqual([]));
    expect(await world.mirror.status()).toMatchObject({ blobs: 0, disk: { used: 0 } });
  });

  it("is let go when nobody reads it any more, and when the process stops", async () => {
    const world = await worldWithBlob({
      settings: { ...hidesSizes, bandwidth: { registry: MiB, cdn: undefined } },
    });
    const { blob } = await world.open("a/b", digest);
    const reader = blob.reader();
    await reader.read(new Uint8Array(10));
    reader.close();
    blob.release();
    await world.fills(0);
    const again = await world.open("a/b", digest);
    const stopped = again.blob.reader();
    await stopped.read(new Uint8Array(10));
    const reading = expect(readAll(stopped)).rejects.toMatchObject({ code: "closed" });
    await world.stop();
    await reading;
    stopped.close();
    again.blob.release();
    await eventually(async () => expect(await world.store.spool.list()).toEqual([]));
  });

  it("has the size that a manifest states, where one does, and is measured for code that must know it", async () => {
    const world = await worldWithBlob({ settings: hidesSizes });
    const where = { registry: "fake.test", repository: "a/measured" };
    expect(await mirrorSource(world.mirror).blobSize(where, digest)).toBe(SIZE);
    await world.fills(0);
    const other = await worldWithBlob({ settings: hidesSizes });
    publish(other.fake, digest, SIZE);
    await other.get("a/b", "1");
    expect(await other.stat("a/b", digest)).toMatchObject({ size: SIZE, outcome: "miss" });
    await expectWhole(other);
  });

  it("is no more than any other one's where its repository has it not", async () => {
    const world = await startWorld({ settings: hidesSizes });
    world.fake.addGeneratedBlob({ seed: SEED, size: SIZE }, "a/one");
    world.fake.contents.repository("a/two");
    await world.read("a/one", digest);
    await expect(world.read("a/two", digest)).rejects.toMatchObject({ code: "not-found" });
  });
});
