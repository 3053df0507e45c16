/** RangeSet against a naive model (one boolean per byte), and its edges by hand. */
import { describe, expect, test } from "vitest";
import { lengthOf } from "../../src/bytes/byte-range.ts";
import { RangeSet } from "../../src/bytes/range-set.ts";
import { seededRandom } from "../simulation/seeded-random.ts";

const LIMIT = 60;
const OFFSETS = Array.from({ length: LIMIT }, (_, at) => at);

/** One boolean per byte: too simple to be wrong. */
class NaiveSet {
  readonly #covered: boolean[] = Array(LIMIT).fill(false);

  add(start: number, end: number): void {
    for (let at = start; at < end; at++) this.#covered[at] = true;
  }

  has(at: number): boolean {
    return this.#covered[at] === true;
  }

  get total(): number {
    return this.#covered.filter(Boolean).length;
  }

  endOfRunAt(offset: number): number {
    let at = offset;
    while (this.has(at)) at++;
    return at;
  }

  nextStart(offset: number, limit: number): number {
    for (let at = offset; at < limit; at++) if (this.has(at)) return at;
    return limit;
  }
}

describe("RangeSet", () => {
  test("agrees with a naive model over random additions and every question", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = seededRandom(seed);
      const set = new RangeSet();
      const naive = new NaiveSet();
      for (let step = 0; step < 12; step++) {
        const start = Math.floor(random() * LIMIT);
        const end = Math.min(LIMIT, start + Math.floor(random() * 12));
        set.add({ start, end });
        naive.add(start, end);
        compare(set, naive);
      }
    }
  });

  test("keeps its ranges sorted, disjoint and joined where they touch", () => {
    const set = RangeSet.of([
      { start: 30, end: 40 },
      { start: 0, end: 10 },
      { start: 10, end: 20 },
      { start: 35, end: 50 },
    ]);
    expect([...set]).toEqual([
      { start: 0, end: 20 },
      { start: 30, end: 50 },
    ]);
    set.add({ start: 20, end: 30 });
    expect([...set]).toEqual([{ start: 0, end: 50 }]);
    expect(set.total).toBe(50);
  });

  test("an empty range adds nothing and is always covered", () => {
    const set = new RangeSet();
    set.add({ start: 5, end: 5 });
    set.add({ start: 9, end: 3 });
    expect([...set]).toEqual([]);
    expect(set.covers({ start: 7, end: 7 })).toBe(true);
    expect(set.covers({ start: 7, end: 8 })).toBe(false);
  });

  test("a snapshot does not change when the set does (F8)", () => {
    const set = RangeSet.of([{ start: 0, end: 10 }]);
    const snapshot = set.snapshot();
    set.add({ start: 10, end: 20 });
    expect(snapshot).toEqual([{ start: 0, end: 10 }]);
  });

  test("holds offsets past 32 bits, as a 40 GB blob needs", () => {
    const far = 40e9;
    const set = RangeSet.of([{ start: far, end: far + 5 }]);
    expect(set.endOfRunAt(far)).toBe(far + 5);
    expect(set.firstGap({ start: 0, end: far + 10 })).toEqual({ start: 0, end: far });
  });
});

function compare(set: RangeSet, naive: NaiveSet): void {
  const ranges = [...set];
  const isProper = ranges.every(
    (range, index) => range.end > range.start && range.start > (ranges[index - 1]?.end ?? -1),
  );
  expect(isProper).toBe(true);
  expect([set.total, ranges.reduce((sum, range) => sum + lengthOf(range), 0)]).toEqual([
    naive.total,
    naive.total,
  ]);
  expect(answers(set)).toEqual(answers(naive));
  expect(gaps(set)).toEqual(naiveGaps(naive));
}

/** What both sets can be asked, at every offset. */
function answers(set: Pick<RangeSet, "has" | "endOfRunAt" | "nextStart">): string {
  return OFFSETS.map((at) => `${set.has(at)} ${set.endOfRunAt(at)} ${set.nextStart(at, LIMIT)}`).join("\n");
}

function gaps(set: RangeSet): string {
  return OFFSETS.map((start) => {
    const within = { start, end: Math.min(LIMIT, start + 7) };
    const gap = set.firstGap(within);
    return `${set.covers(within)} ${gap?.start} ${gap?.end}`;
  }).join("\n");
}

function naiveGaps(naive: NaiveSet): string {
  return OFFSETS.map((at) => {
    const end = Math.min(LIMIT, at + 7);
    const start = naive.endOfRunAt(at);
    return start >= end ? "true undefined undefined" : `false ${start} ${naive.nextStart(start, end)}`;
  }).join("\n");
}
