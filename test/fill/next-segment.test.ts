/** The scheduling decision: its four rules one by one, and F6 as a property of every answer it can give. */
import { describe, expect, test } from "vitest";
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import { contains, intersect, isEmpty } from "../../src/bytes/byte-range.ts";
import { RangeSet } from "../../src/bytes/range-set.ts";
import { nextSegment } from "../../src/fill/next-segment.ts";
import { seededRandom } from "../simulation/seeded-random.ts";

const SIZE = 1_000;
const ten = () => 10;

function range(start: number, end: number): ByteRange {
  return { start, end };
}

function demand(waits: ByteRange[], readAhead = true, complete = false) {
  return { waits, readAhead, complete };
}

describe("the next segment", () => {
  test("rule 1: starts at the oldest wait whose offset no claim covers", () => {
    const waits = [range(105, 200), range(500, 600), range(300, 400)];
    expect(nextSegment(SIZE, new RangeSet(), [range(100, 110)], demand(waits), ten)).toEqual(range(500, 510));
  });

  test("rule 2: reads ahead of the oldest wait that has a gap before it", () => {
    const waits = [range(100, 110), range(500, 600)];
    const claims = [range(100, 110), range(500, 520)];
    const present = RangeSet.of([range(520, 530)]);
    expect(nextSegment(SIZE, present, claims, demand(waits), ten)).toEqual(range(530, 540));
    expect(nextSegment(SIZE, present, claims, demand(waits, false), ten)).toBeUndefined();
  });

  test("rule 3: completes the blob from its first gap, if it is wanted", () => {
    const present = RangeSet.of([range(0, 50)]);
    expect(nextSegment(SIZE, present, [range(50, 60)], demand([], true, true), ten)).toEqual(range(60, 70));
    expect(nextSegment(SIZE, present, [range(50, 60)], demand([], true, false), ten)).toBeUndefined();
  });

  test.each([
    ["its limit", [], [], range(100, 110)],
    ["the next present byte", [range(104, 105)], [], range(100, 104)],
    ["the next claim", [], [range(107, 120)], range(100, 107)],
  ])("a segment ends at %s", (_name, present, claims, expected) => {
    const found = nextSegment(SIZE, RangeSet.of(present), claims, demand([range(100, 900)]), ten);
    expect(found).toEqual(expected);
  });

  test("a segment ends at the blob's end", () => {
    expect(nextSegment(SIZE, new RangeSet(), [], demand([range(995, SIZE)]), ten)).toEqual(range(995, SIZE));
  });

  test("for a reader that has said which ranges it wants, ends with each, and nothing between them is fetched", () => {
    const ahead = [range(300, 304), range(600, 700)];
    const waits = [{ ...range(100, 105), ahead }];
    const next = (claims: ByteRange[]) => nextSegment(SIZE, new RangeSet(), claims, demand(waits), ten);
    const first = range(100, 105);
    expect(next([])).toEqual(first);
    expect(next([first])).toEqual(range(300, 304));
    expect(next([first, range(300, 304)])).toEqual(range(600, 610));
    expect(next([first, range(300, 304), range(600, 700)])).toBeUndefined();
  });

  test("nothing is left to fetch of a blob that is all present or claimed", () => {
    const present = RangeSet.of([range(0, 600)]);
    expect(nextSegment(SIZE, present, [range(600, SIZE)], demand([], true, true), ten)).toBeUndefined();
    expect(nextSegment(0, new RangeSet(), [], demand([], true, true), ten)).toBeUndefined();
  });

  test("F6: no answer is empty, or touches a present or a claimed byte", () => {
    for (let seed = 1; seed <= 3_000; seed++) expect(breach(seed)).toBeUndefined();
  });
});

/** What is wrong with the answer to one random question. */
function breach(seed: number): string | undefined {
  const random = seededRandom(seed);
  const some = () => {
    const start = Math.floor(random() * SIZE);
    return range(start, Math.min(SIZE, start + 1 + Math.floor(random() * 100)));
  };
  const several = () => Array.from({ length: Math.floor(random() * 6) }, some);
  const present = RangeSet.of(several());
  // Claims never overlap each other or what is present: each was such an answer itself.
  const claims: ByteRange[] = [];
  for (const claim of several()) {
    const isFree = [...present, ...claims].every((other) => isEmpty(intersect(claim, other)));
    if (isFree) claims.push(claim);
  }
  const waits = several().filter((wait) => !present.has(wait.start));
  const limit = 1 + Math.floor(random() * 200);
  const found = nextSegment(SIZE, present, claims, demand(waits, true, random() < 0.5), () => limit);
  if (found === undefined) {
    const lonely = waits.find((wait) => !claims.some((claim) => contains(claim, wait.start)));
    return lonely === undefined ? undefined : `F4: seed ${seed} leaves a wait at ${lonely.start} uncovered`;
  }
  const touched = [...present, ...claims].find((other) => !isEmpty(intersect(found, other)));
  if (touched !== undefined) return `seed ${seed} touches ${touched.start}`;
  const isProper = found.start < found.end && found.end <= SIZE && found.end - found.start <= limit;
  return isProper ? undefined : `seed ${seed} answers ${found.start}-${found.end}`;
}
