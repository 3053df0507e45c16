/** Shows that zstd data of many frames is cut at their borders, however it arrives, and unpacks whole. */
import { zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { splitZstdFrames } from "../../../src/client/archives/zstd-frames.ts";
import { collect } from "../../support/collect.ts";
import { patternBytes } from "../../support/pattern.ts";

const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5]);
const frames = [
  patternBytes(1, 0, 300_000),
  Buffer.alloc(400_000, 7),
  Buffer.alloc(0),
  patternBytes(2, 0, 10),
].map((bytes) => zstdCompressSync(bytes));

async function* inPieces(bytes: Uint8Array, length: number) {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

test.each([1, 2, 3, 7, 4096, 10_000_000])(
  "frames are cut at their borders in chunks of %i bytes",
  async (length) => {
    const all = Buffer.concat([skippable, ...frames.flatMap((frame) => [frame, skippable])]);
    const chunks = await collect(splitZstdFrames(inPieces(all, length)));
    expect(Buffer.concat(chunks).equals(Buffer.concat(frames))).toBe(true);
    const borders = frames.map((_, index) => Buffer.concat(frames.slice(0, index + 1)).length);
    const ends = new Set<number>();
    let at = 0;
    for (const chunk of chunks) {
      at += chunk.length;
      ends.add(at);
    }
    expect(borders.filter((border) => !ends.has(border))).toEqual([]);
  },
);

test.each([
  ["is cut off inside a block", (all: Buffer) => all.subarray(0, all.length - 5)],
  ["is cut off inside a magic number", (all: Buffer) => all.subarray(0, (frames[0]?.length ?? 0) + 2)],
  ["is followed by something else", (all: Buffer) => Buffer.concat([all, Buffer.from("something else")])],
])("zstd data that %s is refused", async (_title, damage) => {
  const all = damage(Buffer.concat(frames));
  await expect(collect(splitZstdFrames(inPieces(all, 1000)))).rejects.toMatchObject({
    code: "manifest-invalid",
  });
});
