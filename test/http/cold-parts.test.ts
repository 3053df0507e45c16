/** Shows that several ranges of a cold blob cost the upstream these ranges: no byte between them, none twice, and no request for each. */
import { describe, expect, test } from "vitest";
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import { byteParts } from "../../src/http/answers/byte-parts.ts";
import { MiB, type MirrorWorld, readAll, startWorld } from "../support/mirror-world.ts";
import { firstDifference } from "../support/pattern.ts";
import { readParts } from "../support/read-parts.ts";

const SEED = 5;
const SIZE = 48 * MiB;
const KiB = 1024;

async function coldWorld(options: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld(options);
  return { world, digest: world.fake.addGeneratedBlob({ seed: SEED, size: SIZE }) };
}

const spread = (count: number, every: number, length: number): ByteRange[] =>
  Array.from({ length: count }, (_, index) => ({
    start: index * every + 7,
    end: index * every + 7 + length,
  }));

/** Reads `ranges` as one request asks for them, and looks at each byte. */
async function readRanges(world: MirrorWorld, digest: string, ranges: readonly ByteRange[]): Promise<void> {
  const { blob, outcome } = await world.open("a/b", digest);
  const parts = byteParts(blob, { size: SIZE, ranges, isCold: outcome !== "hit" });
  const reader = parts.reader();
  try {
    const body = await readAll(reader);
    expect(body).toHaveLength(parts.length);
    const read = readParts({ headers: { "content-type": parts.contentType }, body });
    expect(read).toHaveLength(ranges.length);
    for (const [index, { start, end }] of ranges.entries()) {
      expect(read[index]?.bytes).toHaveLength(end - start);
      expect(firstDifference(SEED, start, read[index]?.bytes ?? Buffer.alloc(0))).toBeUndefined();
    }
  } finally {
    reader.close();
    blob.release();
  }
}

const blobRequests = (world: MirrorWorld, digest: string) =>
  world.fake.requests.filter(({ method, reference }) => method === "GET" && reference === digest);

describe("several ranges of a cold blob", () => {
  test("far apart are fetched and nothing else is, over several connections, and once (F6)", async () => {
    const { world, digest } = await coldWorld();
    // A line on which the wait for an answer counts.
    world.fake.faults.push({ match: /blobs/, method: "GET", times: 1_000, fault: { kind: "delay", ms: 20 } });
    const ranges = spread(150, 300 * KiB, 9 * KiB);
    await readRanges(world, digest, ranges);
    expect(world.fake.bytesSentFor(digest)).toBe(150 * 9 * KiB);
    expect(new Set(blobRequests(world, digest).map(({ connection }) => connection)).size).toBeGreaterThan(2);
    await readRanges(world, digest, ranges);
    await readRanges(world, digest, ranges.toReversed().slice(0, 16));
    expect(world.fake.bytesSentFor(digest)).toBe(150 * 9 * KiB);
  });

  test("near each other are one transfer: a thousand of them are a few requests", async () => {
    const { world, digest } = await coldWorld();
    await readRanges(world, digest, spread(1_000, 4 * KiB, 1_500));
    expect(blobRequests(world, digest).length).toBeLessThan(40);
    expect(world.fake.bytesSentFor(digest)).toBeLessThanOrEqual(1_000 * 4 * KiB);
  });

  test("that are large come as they would alone", async () => {
    const { world, digest } = await coldWorld();
    const ranges = [
      { start: 30 * MiB, end: 41 * MiB },
      { start: 3 * MiB, end: 9 * MiB },
    ];
    await readRanges(world, digest, ranges);
    expect(world.fake.bytesSentFor(digest)).toBe(17 * MiB);
  });

  test("pass through where there is no room to keep it (F16)", async () => {
    const { world, digest } = await coldWorld({ budget: { maxSize: MiB, minFree: 0 } });
    await readRanges(world, digest, spread(400, 40 * KiB, 3 * KiB));
    expect(blobRequests(world, digest)).toHaveLength(1);
  });
});
