/** How large a segment may be: small at a new place, growing, sharing the end, and small again in a crowd (F17). */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { segmentLimit, turnMs } from "../../src/fill/next-segment.ts";
import { SIMULATED_POLICY } from "../simulation/world.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const policy = { ...SIMULATED_POLICY, firstSegment: MIB, largestSegment: 16 * MIB };
const load = {
  previous: undefined,
  free: 4_000 * MIB,
  lanes: 6,
  speed: { latencyMs: 0, bytesPerMs: 10_000 },
  turnMs: undefined,
};

describe("the limit of a segment", () => {
  test("a lane that starts somewhere new takes a first segment", () => {
    const previous = { start: 0, end: 16 * MIB };
    expect(segmentLimit(50, false, load, policy)).toBe(MIB);
    expect(segmentLimit(50 * MIB, true, { ...load, previous }, policy)).toBe(MIB);
  });

  test("a lane that goes on doubles also where others took the bytes between, and where its reader waits", () => {
    const previous = { start: 0, end: 4 * MIB };
    expect(segmentLimit(20 * MIB, false, { ...load, previous }, policy)).toBe(8 * MIB);
    expect(segmentLimit(4 * MIB, true, { ...load, previous }, policy)).toBe(8 * MIB);
  });

  test("a lane that goes on where it was doubles, up to the largest", () => {
    const sizes = [];
    let previous = { start: 0, end: MIB };
    for (let turn = 0; turn < 6; turn++) {
      const size = segmentLimit(previous.end, false, { ...load, previous }, policy);
      sizes.push(size / MIB);
      previous = { start: previous.end, end: previous.end + size };
    }
    expect(sizes).toEqual([2, 4, 8, 16, 16, 16]);
  });

  test("near the end no lane takes more than half its share, nor less than a first segment or half a second", () => {
    const previous = { start: 0, end: 16 * MIB };
    expect(segmentLimit(16 * MIB, false, { ...load, previous, free: 48 * MIB }, policy)).toBe(4 * MIB);
    expect(segmentLimit(16 * MIB, false, { ...load, previous, free: 0 }, policy)).toBe(MIB);
    const slow = { ...load, previous, free: 0, speed: { latencyMs: 0, bytesPerMs: 700 } };
    expect(segmentLimit(16 * MIB, false, slow, policy)).toBe(350_000);
  });

  test("F17: with more waits than lanes a segment is what lets every wait have its turn in half of starveMs", () => {
    const turn = turnMs(60, 6, policy.starveMs);
    expect(turn).toBe((policy.starveMs * 6) / (2 * 60));
    const crowded = { ...load, speed: { latencyMs: 0, bytesPerMs: 1_000 }, turnMs: turn };
    expect(segmentLimit(0, true, crowded, policy)).toBe(250_000);
    expect(segmentLimit(0, true, { ...crowded, speed: undefined }, policy)).toBe(64 * KIB);
    expect(turnMs(6, 6, policy.starveMs)).toBeUndefined();
  });

  test("is a whole number of bytes, whatever rates and shares come to", () => {
    const rate = fc.double({ min: 0, max: 1e7, noNaN: true });
    const count = fc.integer({ min: 0, max: 2 ** 40 });
    fc.assert(
      fc.property(
        rate,
        fc.integer({ min: 1, max: 5_000 }),
        count,
        count,
        (bytesPerMs, crowd, start, free) => {
          const speed = { latencyMs: crowd % 100, bytesPerMs };
          const turn = turnMs(crowd, 6, policy.starveMs);
          const limit = segmentLimit(start, crowd > 2, { ...load, speed, turnMs: turn, free }, policy);
          expect(Number.isSafeInteger(limit)).toBe(true);
        },
      ),
    );
  });

  test("below 64 KiB a request costs more than it brings, unless a reader starved otherwise", () => {
    expect(
      segmentLimit(0, true, { ...load, speed: { latencyMs: 0, bytesPerMs: 100 }, turnMs: 75 }, policy),
    ).toBe(12_000);
    expect(
      segmentLimit(0, true, { ...load, speed: { latencyMs: 0, bytesPerMs: 0.001 }, turnMs: 75 }, policy),
    ).toBe(4 * KIB);
    expect(segmentLimit(0, true, { ...load, speed: { latencyMs: 0, bytesPerMs: 0.001 } }, policy)).toBe(MIB);
    expect(segmentLimit(0, true, load, { ...policy, firstSegment: 1, largestSegment: 1 })).toBe(64 * KIB);
  });
});
