/** Shows that two upstreams with one digest share what is verified, and nothing else: neither bytes, nor sizes, nor the blame. */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Digest, encodedOf } from "../../src/oci/digest.ts";
import { OCI_MANIFEST } from "../../src/oci/media-types.ts";
import type { FakeRegistry } from "../support/fake-registry.ts";
import { MiB, startWorld } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";
import { digestOfPattern, firstDifference } from "../support/pattern.ts";
import { startFake } from "../support/start-upstream.ts";
import { upstreamOf } from "../support/upstream-of.ts";

const SEED = 3;
const SIZE = 4 * MiB;
const digest = digestOfPattern(SEED, SIZE);
const policy = { smallBlob: 1000, firstSegment: 64 * 1024, largestSegment: 64 * 1024 };
const there = { upstream: "liar.test" };
/** Where the liar's byte is wrong. */
const range = { start: 1000, end: 3000 };

/** An honest registry and one that sends a wrong byte, both with one blob. */
async function worldWithLiar(bandwidth?: number) {
  const liar = await startFake({
    mode: "plain",
    settings: { bandwidth: { registry: bandwidth, cdn: undefined } },
  });
  const world = await startWorld({
    upstream: { policy },
    others: [upstreamOf(liar, { name: there.upstream, policy })],
  });
  for (const fake of [liar, world.fake]) fake.addGeneratedBlob({ seed: SEED, size: SIZE });
  liar.fail(/blobs/, { kind: "flip", offset: 2000 }, { method: "GET", times: 1000 });
  return { world, liar };
}

function wrongByte(bytes: Uint8Array): number | undefined {
  return firstDifference(SEED, range.start, bytes);
}

describe("bytes that are not verified", () => {
  it("of a lying upstream reach nobody who asks another one, while they come in, after they were left, and after a restart", async () => {
    const { world } = await worldWithLiar(MiB);
    const lie = await world.open("a/b", digest, there);
    const reader = lie.blob.reader(range);
    const wrong = new Uint8Array(2000);
    expect(await reader.read(wrong)).toBeGreaterThan(0);
    expect(wrongByte(await world.read("a/b", digest, range))).toBeUndefined();
    expect((await world.mirror.status()).fills.map(({ upstream }) => upstream).sort()).toEqual([
      "fake.test",
      "liar.test",
    ]);
    reader.close();
    lie.blob.release();
    await world.fills(0);
    expect(wrongByte(await world.read("a/b", digest, range, there))).toBe(2000);
    await world.fills(0);
    await world.restart();
    expect(wrongByte(await world.read("a/b", digest, range))).toBeUndefined();
    expect(wrongByte(await world.read("a/b", digest, range, there))).toBe(2000);
  });

  it("are nobody's once the blob is whole: also who asks the liar gets the right ones, and no part is left", async () => {
    const { world } = await worldWithLiar();
    expect(wrongByte(await world.read("a/b", digest, range, there))).toBe(2000);
    await world.fills(0);
    await world.read("a/b", digest);
    await world.fills(0);
    expect(wrongByte(await world.read("a/b", digest, range, there))).toBeUndefined();
    world.clock.aheadMs += 120_000;
    await world.restart();
    await eventually(async () => expect(await world.store.spool.list()).toEqual([]));
  });

  it("each upstream pays for its own: the liar's whole blob fails, and the honest one's is not blamed for it", async () => {
    const { world, liar } = await worldWithLiar();
    await expect(world.read("a/b", digest, undefined, there)).rejects.toMatchObject({
      code: "digest-mismatch",
    });
    expect(firstDifference(SEED, 0, await world.read("a/b", digest))).toBeUndefined();
    expect(world.fake.bytesSentFor(digest)).toBe(SIZE);
    expect(liar.bytesSentFor(digest)).toBe(SIZE);
  });

  it("that an older Granary left, without a word whose they are, are removed at the start", async () => {
    const name = encodedOf(digest);
    const map = { version: 1, digest, size: SIZE, ranges: [0, 5000] };
    const world = await startWorld({
      before: async ({ layout }) => {
        await writeFile(join(layout.partialsOf("sha256"), name), Buffer.alloc(5000));
        await writeFile(join(layout.partialsOf("sha256"), `${name}.map`), JSON.stringify(map));
      },
    });
    expect(await readdir(world.store.layout.partialsOf("sha256"))).toEqual([]);
    world.fake.addGeneratedBlob({ seed: SEED, size: SIZE });
    expect(wrongByte(await world.read("a/b", digest, range))).toBeUndefined();
  });
});

describe("a wrong size", () => {
  /** An image of which one registry states another size than the other. */
  function publish(fake: FakeRegistry, repository: string, of: Digest, size: number): void {
    const part = { mediaType: "x/y", digest: of, size };
    const text = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: part, layers: [part] });
    fake.addManifest(repository, "1", Buffer.from(text), OCI_MANIFEST);
  }

  it("that one upstream states is nobody else's", async () => {
    const { world, liar } = await worldWithLiar(MiB);
    publish(liar, "a/b", digest, SIZE - 7);
    publish(world.fake, "a/b", digest, SIZE);
    for (const where of [there, {}]) await world.get("a/b", "1", where);
    const lie = await world.open("a/b", digest, there);
    const reader = lie.blob.reader();
    const lying = expect(reader.read(new Uint8Array(10))).rejects.toMatchObject({ code: "size-mismatch" });
    expect(await world.stat("a/b", digest)).toMatchObject({ size: SIZE });
    expect(firstDifference(SEED, 0, await world.read("a/b", digest))).toBeUndefined();
    await lying;
    reader.close();
    lie.blob.release();
    await world.fills(0);
    expect(await world.stat("a/b", digest, there)).toMatchObject({ size: SIZE, outcome: "hit" });
  });

  it("that a document of one repository states ends no transfer of another one that knows better", async () => {
    const { world } = await worldWithLiar();
    publish(world.fake, "mallory/x", digest, SIZE - 7);
    await world.get("mallory/x", "1");
    world.fake.fail(/mallory/, { kind: "delay", ms: 300 }, { method: "GET", times: 20 });
    const lie = await world.open("mallory/x", digest);
    const reader = lie.blob.reader();
    const lying = expect(reader.read(new Uint8Array(10))).rejects.toMatchObject({ code: "size-mismatch" });
    await world.fills(1);
    expect(firstDifference(SEED, 0, await world.read("a/b", digest))).toBeUndefined();
    await lying;
    reader.close();
    lie.blob.release();
    // Each hears of its own: what the one had wrong is corrected there too.
    expect(await world.read("mallory/x", digest)).toHaveLength(SIZE);
  });
});
