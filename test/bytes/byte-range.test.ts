/** ByteRange: half-open, everywhere. */
import { describe, expect, test } from "vitest";
import {
  byteRange,
  contains,
  formatRange,
  intersect,
  isEmpty,
  lengthOf,
} from "../../src/bytes/byte-range.ts";

const range = { start: 10, end: 20 };

describe("ByteRange", () => {
  test("is half-open: it holds its start and not its end", () => {
    expect([9, 10, 19, 20].map((offset) => contains(range, offset))).toEqual([false, true, true, false]);
    expect(lengthOf(range)).toBe(10);
    expect(formatRange(range)).toBe("[10, 20)");
  });

  test.each([
    ["overlapping", { start: 15, end: 30 }, { start: 15, end: 20 }],
    ["inside", { start: 12, end: 13 }, { start: 12, end: 13 }],
    ["around", { start: 0, end: 99 }, range],
  ])("meets a range that is %s", (_name, other, expected) => {
    expect(intersect(range, other)).toEqual(expected);
    expect(intersect(other, range)).toEqual(expected);
  });

  test.each([
    ["touches its end", { start: 20, end: 30 }],
    ["touches its start", { start: 0, end: 10 }],
    ["lies elsewhere", { start: 50, end: 60 }],
  ])("meets nothing of a range that %s", (_name, other) => {
    expect(isEmpty(intersect(range, other))).toBe(true);
    expect(lengthOf(intersect(other, range))).toBe(0);
  });

  test.each([
    ["a fraction", 0, 6144750.559633028],
    ["a fraction at its start", 0.5, 2],
    ["no number", 0, Number.NaN],
    ["no end", 0, Number.POSITIVE_INFINITY],
    ["more than a double holds exactly", 0, 2 ** 53],
    ["a start before the first byte", -1, 5],
    ["an end before its start", 5, 4],
  ])("is not made of %s", (_name, start, end) => {
    expect(() => byteRange(start, end)).toThrow(RangeError);
  });

  test("is empty when it ends where it starts, or before", () => {
    expect(isEmpty({ start: 5, end: 5 })).toBe(true);
    expect(isEmpty({ start: 5, end: 4 })).toBe(true);
    expect(isEmpty({ start: 5, end: 6 })).toBe(false);
  });
});
