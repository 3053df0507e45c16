/** The map of a blob as it is drawn: right for each pixel of a wide screen, and bounded, however its bytes lie. */
import { expect, test } from "vitest";
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import { RangeSet } from "../../src/bytes/range-set.ts";
import { drawnMap } from "../../src/fill/drawn-runs.ts";

const GB = 10 ** 9;
const PIXELS = 2_000;

/** What each cell has, counted byte for byte by another way: the set itself is asked. */
function expected(present: RangeSet, size: number, count: number): string {
  return Array.from({ length: count }, (_, cell) => {
    const [start, end] = [cell, cell + 1].map((at) => Math.floor((at * size) / count)) as [number, number];
    if (present.covers({ start, end })) return "#";
    return present.nextStart(start, end) < end ? "+" : ".";
  }).join("");
}

/** The same numbers each time. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

function scattered(size: number, runs: number, seed: number): RangeSet {
  const random = numbers(seed);
  const present = new RangeSet();
  for (let run = 0; run < runs; run++) {
    const start = Math.floor(random.next().value * size);
    present.add({ start, end: Math.min(size, start + 1 + Math.floor((random.next().value * size) / runs)) });
  }
  return present;
}

test("few runs are told as they are, to the byte", () => {
  const runs = [
    { start: 0, end: 1 },
    { start: 7, end: 40 * GB },
  ];
  expect(drawnMap(runs, 40 * GB)).toEqual({ runs, cells: undefined });
});

test.each([
  ["of 40 GB with thousands of scattered runs", 40 * GB, 5_000],
  ["of a size that no cell divides", 40 * GB + 7, 3_000],
  ["that is small", 5_003, 900],
  ["with fewer bytes than there are cells", 701, 900],
  ["that is larger than any", 2 ** 45 + 3, 10_000],
])("in a blob %s each cell is exactly right", (_, size, runs) => {
  for (const seed of [1, 2, 3]) {
    const present = scattered(size, runs, seed);
    const { cells = "" } = drawnMap(present.snapshot(), size);
    if ([...present].length <= 200) continue;
    expect(cells).toHaveLength(Math.min(PIXELS, size));
    expect(cells).toBe(expected(present, size, cells.length));
  }
});

test("every other pixel of 2,000 is told apart, and a hole of one byte in a full blob is seen", () => {
  const size = PIXELS * 1_000;
  const striped = new RangeSet();
  for (let cell = 0; cell < PIXELS; cell += 2) striped.add({ start: cell * 1_000, end: (cell + 1) * 1_000 });
  expect(drawnMap(striped.snapshot(), size).cells).toBe("#.".repeat(PIXELS / 2));
  const holes: ByteRange[] = [];
  for (let cell = 0; cell < 300; cell++) holes.push({ start: cell * 1_000, end: cell * 1_000 + 999 });
  holes.push({ start: 300_000, end: size });
  expect(drawnMap(holes, size).cells).toBe(`${"+".repeat(300)}${"#".repeat(1_700)}`);
});

test("it takes no more room than a few thousand characters, however many runs there are", () => {
  const present = scattered(40 * GB, 50_000, 4);
  expect(JSON.stringify(drawnMap(present.snapshot(), 40 * GB)).length).toBeLessThan(5_000);
});
