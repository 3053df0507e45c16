/** Tests for src/fleet/object-key.ts: a digest can be read back from its key, and parts cover a blob exactly. */
import { expect, test } from "vitest";
import { lengthOf } from "../../src/bytes/byte-range.ts";
import {
  objectKeyOf,
  parseObjectKey,
  partCountOf,
  partRange,
  partSizeOf,
  partsKeyOf,
} from "../../src/fleet/object-key.ts";
import { digestOf } from "../../src/oci/digest.ts";

const MIB = 2 ** 20;
const SHA256 = digestOf(Buffer.from("x"));
const SHA512 = digestOf(Buffer.from("x"), "sha512");

test("G6: a key names its digest and the epoch that writes it, and both are read back", () => {
  for (const digest of [SHA256, SHA512]) {
    for (const epoch of [0, 1, 4711, Number.MAX_SAFE_INTEGER]) {
      expect(parseObjectKey(objectKeyOf(digest, epoch))).toEqual({ digest, epoch });
    }
  }
  expect(objectKeyOf(SHA256, 7)).toBe(`blobs/sha256/${SHA256.slice(7)}/7`);
});

test.each([
  "",
  "blobs/",
  `blobs/sha256/${SHA256.slice(7)}`,
  `blobs/sha256/${SHA256.slice(7)}/`,
  `blobs/sha256/${SHA256.slice(7)}/01`,
  `blobs/sha256/${SHA256.slice(7)}/-1`,
  `blobs/sha256/${SHA256.slice(7)}/1/2`,
  `blobs/sha256/${SHA256.slice(7)}/9007199254740993`,
  `blobs/sha256/${SHA256.slice(7).toUpperCase()}/1`,
  `blobs/sha512/${SHA256.slice(7)}/1`,
  `blobs/md5/${"0".repeat(32)}/1`,
  `other/sha256/${SHA256.slice(7)}/1`,
  `blobs/sha256/${SHA256.slice(7)}/1\n`,
  partsKeyOf(objectKeyOf(SHA256, 1)),
])("%j is no key of a blob", (key) => {
  expect(parseObjectKey(key)).toBeUndefined();
});

test.each([1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 71_999 * MIB, 72_001 * MIB, 2 ** 40 + 1, 5 * 2 ** 40])(
  "a blob of %d bytes has parts that cover it, no more than stores take",
  (size) => {
    const count = partCountOf(size);
    expect(count).toBeLessThanOrEqual(9_000);
    expect(partSizeOf(size) % MIB).toBe(0);
    let at = 0;
    for (let number = 1; number <= count; number++) {
      const range = partRange(number, size);
      expect(range.start).toBe(at);
      expect(lengthOf(range)).toBe(number < count ? partSizeOf(size) : size - at);
      at = range.end;
    }
    expect(at).toBe(size);
    expect(() => partRange(count + 1, size)).toThrow(RangeError);
    expect(() => partRange(0, size)).toThrow(RangeError);
  },
);

test("a blob of no bytes has no parts", () => {
  expect(partCountOf(0)).toBe(0);
  expect(() => partRange(1, 0)).toThrow(RangeError);
});
