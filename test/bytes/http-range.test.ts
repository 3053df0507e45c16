/** Shows every form of Range that clients and the conformance suite send, what becomes of it, and the forms of Content-Range. */
import { describe, expect, it, test } from "vitest";
import {
  formatContentRange,
  formatRangeHeader,
  parseContentRange,
  parseRangeHeader,
} from "../../src/bytes/http-range.ts";

const SIZE = 2048;
const all = { start: 0, end: SIZE };

test.each<[string | undefined, ReturnType<typeof parseRangeHeader>, string]>([
  ["bytes=500-1499", { start: 500, end: 1500 }, "as conformance asks"],
  ["bytes=500-", { start: 500, end: SIZE }, "as conformance asks"],
  ["bytes=-500", { start: 1548, end: SIZE }, "as conformance asks"],
  ["bytes=2000-5000", { start: 2000, end: SIZE }, "clipped"],
  ["bytes=500-0", "unsatisfiable", "as conformance asks"],
  ["bytes=5000-10000", "unsatisfiable", "as conformance asks"],
  ["bytes=0-", all, "containerd opens with it"],
  ["bytes=0-0", { start: 0, end: 1 }, "one byte"],
  ["bytes=2047-2048", { start: 2047, end: SIZE }, "regclient asks one byte too many"],
  ["bytes=2048-2048", "unsatisfiable", "just past the end"],
  ["bytes=-0", "unsatisfiable", "an empty suffix"],
  ["bytes=-1", { start: 2047, end: SIZE }, "the last byte"],
  ["bytes=-9999", all, "a suffix longer than the blob"],
  ["bytes=0-99999999999999999999999", all, "a number beyond all numbers"],
  ["bytes=99999999999999999999999-", "unsatisfiable", "H51"],
  ["Bytes = 1-2", { start: 1, end: 3 }, "units are case-insensitive"],
  ["bytes=,1-2,", { start: 1, end: 3 }, "empty list members count for nothing"],
  [
    "bytes=0-1,5-6",
    [
      { start: 0, end: 2 },
      { start: 5, end: 7 },
    ],
    "several ranges",
  ],
  [
    "bytes=0-1, 2-3 ,-1",
    [
      { start: 0, end: 2 },
      { start: 2, end: 4 },
      { start: 2047, end: SIZE },
    ],
    "none joined: Podman counts them",
  ],
  [
    "bytes=900-999,0-9",
    [
      { start: 900, end: 1000 },
      { start: 0, end: 10 },
    ],
    "in the order in which they were asked for",
  ],
  [
    "bytes=0-9,5-14",
    [
      { start: 0, end: 10 },
      { start: 5, end: 15 },
    ],
    "two that overlap are allowed (RFC 9110, 14.2)",
  ],
  ["bytes=0-9,5000-6000", { start: 0, end: 10 }, "one outside is left out; one that is left is a plain 206"],
  ["bytes=9-0,5000-,-0,7-7", { start: 7, end: 8 }, "so are others that cannot be"],
  ["bytes=5000-,6000-7000", "unsatisfiable", "all outside"],
  ["bytes=0-,0-", "whole", "more bytes than there are"],
  ["bytes=0-1999,1000-", "whole", "more bytes than there are"],
  ["bytes=0-1,x", "whole", "malformed in part"],
  ["bytes=0-1;2-3", "whole", "malformed"],
  ["items=0-1", "whole", "another unit"],
  ["bytes=", "whole", "malformed"],
  ["bytes=-", "whole", "malformed"],
  ["bytes=a-b", "whole", "malformed"],
  ["bytes=1.5-2", "whole", "malformed"],
  ["bytes=--5", "whole", "malformed"],
  ["0-5", "whole", "malformed"],
  ["", "whole", "malformed"],
  [undefined, "whole", "no header"],
])("Range %j of 2048 bytes is %j (%s)", (header, expected) => {
  expect(parseRangeHeader(header, SIZE)).toEqual(expected);
});

test.each(["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-500"])(
  "no range of an empty blob exists: %s",
  (header) => {
    expect(parseRangeHeader(header, 0)).toBe("unsatisfiable");
  },
);

const listOf = (count: number, rangeOf: (index: number) => string) =>
  `bytes=${Array.from({ length: count }, (_, index) => rangeOf(index)).join(",")}`;

test("a header with 1024 ranges is read, one with more than any client asks for is too many", () => {
  expect(
    parseRangeHeader(
      listOf(1024, (index) => `${index * 2}-${index * 2}`),
      4096,
    ),
  ).toHaveLength(1024);
  expect(
    parseRangeHeader(
      listOf(4096, (index) => `${index}-${index}`),
      4096,
    ),
  ).toHaveLength(4096);
  expect(
    parseRangeHeader(
      listOf(4097, (index) => `${index}-${index}`),
      5000,
    ),
  ).toBe("too many");
  expect(
    parseRangeHeader(
      listOf(30_000, () => "0-0"),
      4096,
    ),
  ).toBe("too many");
});

test("tiny ranges that jump back and forth are nobody's plan: the whole is in answer (RFC 9110, 14.2)", () => {
  expect(
    parseRangeHeader(
      listOf(100, (index) => `${1000 - index}-${1000 - index}`),
      SIZE,
    ),
  ).toBe("whole");
  expect(
    parseRangeHeader(
      listOf(100, () => "7-7"),
      SIZE,
    ),
  ).toBe("whole");
});

test("a half-open range goes out in the inclusive form, and only here", () => {
  expect(formatContentRange({ start: 500, end: 1500 }, SIZE)).toBe("bytes 500-1499/2048");
  expect(formatContentRange({ start: 0, end: 1 }, 1)).toBe("bytes 0-0/1");
  expect(formatContentRange(undefined, SIZE)).toBe("bytes */2048");
});

describe("Content-Range", () => {
  it.each([
    ["bytes 0-99/200", { range: { start: 0, end: 100 }, size: 200 }],
    ["bytes 5-5/*", { range: { start: 5, end: 6 }, size: undefined }],
    ["bytes */200", { range: undefined, size: 200 }],
    ["bytes 0-200/200", undefined],
    ["bytes 9-5/200", undefined],
    ["items 0-1/2", undefined],
    ["bytes 0-99999999999999999998/99999999999999999999", undefined],
    ["bytes 9007199254740993-9007199254740994/*", undefined],
    [undefined, undefined],
  ])("%s is read", (header, expected) => {
    expect(parseContentRange(header)).toEqual(expected);
  });
});

describe("the Range header", () => {
  it("names whole bytes, the last one included", () => {
    expect(formatRangeHeader({ start: 5, end: 10 })).toBe("bytes=5-9");
  });

  it.each([
    [{ start: 5242880, end: 6144751.559633028 }],
    [{ start: 0, end: 0 }],
    [{ start: 0, end: Number.POSITIVE_INFINITY }],
  ])("is never made from %j: upstreams answer such a thing with 416, or hang up", (range) => {
    expect(() => formatRangeHeader(range)).toThrow(RangeError);
  });
});
