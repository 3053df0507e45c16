/** Shows that compression is told by the first bytes, and that every member and frame of a stream comes out. */
import { randomBytes } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { decompress } from "../../../src/client/archives/decompress.ts";
import { collect } from "../../support/collect.ts";
import { patternBytes } from "../../support/pattern.ts";

const plain = Buffer.concat([patternBytes(3, 0, 700_000), Buffer.alloc(500_000, 9)]);
const [front, back] = [plain.subarray(0, 600_000), plain.subarray(600_000)];
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]);

async function* inPieces(bytes: Uint8Array, length: number) {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function unpack(bytes: Uint8Array, length = 10_000): Promise<Buffer> {
  return Buffer.concat(await collect(decompress(inPieces(bytes, length))));
}

const KINDS: [string, Buffer][] = [
  ["plain", plain],
  ["gzip", gzipSync(plain)],
  ["gzip of two members", Buffer.concat([gzipSync(front), gzipSync(back)])],
  ["gzip of two members and padding", Buffer.concat([gzipSync(front), gzipSync(back), Buffer.alloc(700)])],
  ["zstd", zstdCompressSync(plain)],
  ["zstd of two frames", Buffer.concat([zstdCompressSync(front), zstdCompressSync(back)])],
  [
    "zstd with skippable frames",
    Buffer.concat([skippable, zstdCompressSync(front), skippable, zstdCompressSync(back), skippable]),
  ],
];

test.each(KINDS)("%s comes out whole", async (_kind, packed) => {
  expect((await unpack(packed)).equals(plain)).toBe(true);
  expect((await unpack(packed, packed.length)).equals(plain)).toBe(true);
});

test("a stream shorter than any magic number comes out as it is", async () => {
  expect(await unpack(Buffer.from([0x1f]))).toEqual(Buffer.from([0x1f]));
  expect(await unpack(Buffer.alloc(0))).toEqual(Buffer.alloc(0));
  expect((await unpack(gzipSync(Buffer.from("short")), 1)).toString()).toBe("short");
});

test.each([
  ["gzip that is cut off", gzipSync(plain).subarray(0, 9000)],
  ["gzip with wrong bytes", Buffer.concat([gzipSync(plain).subarray(0, 9000), randomBytes(9000)])],
  ["gzip with something behind it", Buffer.concat([gzipSync(plain), Buffer.from("something")])],
  ["zstd that is cut off", zstdCompressSync(plain).subarray(0, 9000)],
  [
    "zstd with wrong bytes",
    Buffer.concat([zstdCompressSync(plain).subarray(0, 400), Buffer.alloc(90_000, 0xff)]),
  ],
  ["zstd with something behind it", Buffer.concat([zstdCompressSync(plain), Buffer.from("something")])],
])("%s is an error", async (_kind, packed) => {
  await expect(unpack(packed)).rejects.toMatchObject({ code: "manifest-invalid" });
});

test("what the source throws comes out unchanged, and leaving early closes the source", async () => {
  const failure = new Error("the line went dead");
  let closed = 0;
  async function* source(packed: Buffer, fails: boolean) {
    try {
      yield packed.subarray(0, 5000);
      if (fails) throw failure;
      yield packed.subarray(5000);
    } finally {
      closed++;
    }
  }
  const packed = gzipSync(plain);
  await expect(collect(decompress(source(packed, true)))).rejects.toBe(failure);
  for await (const _ of decompress(source(packed, false))) break;
  await expect.poll(() => closed).toBe(2);
});
