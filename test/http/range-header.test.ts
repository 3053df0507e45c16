/** Shows every form of Range that clients and the conformance suite send, and what becomes of it. */
import { expect, test } from "vitest";
import { formatContentRange, parseRange } from "../../src/http/range-header.ts";

const SIZE = 2048;
const all = { start: 0, end: SIZE };

test.each<[string | undefined, ReturnType<typeof parseRange>, string]>([
  ["bytes=500-1499", { start: 500, end: 1500 }, "A.3"],
  ["bytes=500-", { start: 500, end: SIZE }, "A.3"],
  ["bytes=-500", { start: 1548, end: SIZE }, "A.3"],
  ["bytes=2000-5000", { start: 2000, end: SIZE }, "A.3: clipped"],
  ["bytes=500-0", "unsatisfiable", "A.3"],
  ["bytes=5000-10000", "unsatisfiable", "A.3"],
  ["bytes=0-", all, "H46: containerd opens with it"],
  ["bytes=0-0", { start: 0, end: 1 }, "one byte"],
  ["bytes=2047-2048", { start: 2047, end: SIZE }, "H48: regclient asks one byte too many"],
  ["bytes=2048-2048", "unsatisfiable", "just past the end"],
  ["bytes=-0", "unsatisfiable", "an empty suffix"],
  ["bytes=-1", { start: 2047, end: SIZE }, "the last byte"],
  ["bytes=-9999", all, "H51: a suffix longer than the blob"],
  ["bytes=0-99999999999999999999999", all, "H51: a number beyond all numbers"],
  ["bytes=99999999999999999999999-", "unsatisfiable", "H51"],
  ["Bytes = 1-2", { start: 1, end: 3 }, "units are case-insensitive"],
  ["bytes=,1-2,", { start: 1, end: 3 }, "empty list members count for nothing"],
  ["bytes=0-1,5-6", "whole", "H49: several ranges"],
  ["items=0-1", "whole", "H51: another unit"],
  ["bytes=", "whole", "H51: malformed"],
  ["bytes=-", "whole", "H51: malformed"],
  ["bytes=a-b", "whole", "H51: malformed"],
  ["bytes=1.5-2", "whole", "H51: malformed"],
  ["bytes=--5", "whole", "H51: malformed"],
  ["0-5", "whole", "H51: malformed"],
  ["", "whole", "H51: malformed"],
  [undefined, "whole", "no header"],
])("Range %j of 2048 bytes is %j (H45; %s)", (header, expected) => {
  expect(parseRange(header, SIZE)).toEqual(expected);
});

test.each(["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-500"])(
  "no range of an empty blob exists: %s (H52)",
  (header) => {
    expect(parseRange(header, 0)).toBe("unsatisfiable");
  },
);

test("a header with 1024 ranges is read in no time (H9)", () => {
  const header = `bytes=${Array.from({ length: 1024 }, (_, index) => `${index * 2}-${index * 2}`).join(",")}`;
  const startedAt = performance.now();
  expect(parseRange(header, 4096)).toBe("whole");
  expect(performance.now() - startedAt).toBeLessThan(1000);
});

test("a half-open range goes out in the inclusive form, and only here", () => {
  expect(formatContentRange({ start: 500, end: 1500 }, SIZE)).toBe("bytes 500-1499/2048");
  expect(formatContentRange({ start: 0, end: 1 }, 1)).toBe("bytes 0-0/1");
  expect(formatContentRange(undefined, SIZE)).toBe("bytes */2048");
});
