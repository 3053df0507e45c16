/**
 * What the engine is for: crowds of readers over a slow line, with the real parts. Each reader gets the right bytes, each byte
 * crosses the line once (F6), and no reader goes without for long while the line delivers (F17).
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { DEFAULT_POLICY } from "../../src/config/defaults.ts";
import type { Policy } from "../../src/upstream/policy.ts";
import type { Fault } from "../support/fake-registry.ts";
import { type Crowd, rangesOf, readCrowd } from "../support/line-crowd.ts";
import { PROMPT_MS } from "../support/patience.ts";
import { realFills } from "../support/real-fills.ts";
import { type LineSettings, SlowLine } from "../support/slow-line.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** Of one answer. */
const HEADERS = KIB;
/** What a connection that dies may have brought that nobody got: what is under way, and what the kernel holds. */
const LOST = 128 * KIB;

type Scenario = {
  readonly line: Partial<LineSettings>;
  readonly crowd: Crowd;
  readonly count: number;
  /** More than one lane is used for, and little enough to take a few seconds. */
  readonly size?: number;
  readonly policy?: Partial<Policy>;
  /** What every answer suffers. */
  readonly fault?: Fault;
};

/** Every reader of the crowd is served, as the invariants have it. */
async function expectServed({ line: settings, size = 7 * MIB, crowd, count, policy = {}, fault }: Scenario) {
  const line = new SlowLine(settings, count);
  onTestFinished(() => line.close());
  const { blob, fake } = await realFills({ line, policy: { ...DEFAULT_POLICY, ...policy } });
  if (fault !== undefined) fake.fail(/blobs/, fault, { times: Number.POSITIVE_INFINITY });
  const { reader } = blob(count, size);
  const lateness = measureLateness();
  const readers = await readCrowd({ seed: count, size, reader }, rangesOf(crowd, count, size));
  for (const { range, received } of readers) expect(received).toBe(range.end - range.start);
  const { carried, opened } = line.account;
  expect(carried).toBeLessThanOrEqual(size + fake.requests.length * HEADERS + opened * LOST);
  const { starveMs } = { ...DEFAULT_POLICY, ...policy };
  // In real time, on a machine that may be busy: the exact bound is whole-line.test.ts's, in simulated time.
  const longestMs = Math.max(starveMs, PROMPT_MS) + lateness();
  expect(Math.max(...readers.map(({ longestGapMs }) => longestGapMs))).toBeLessThanOrEqual(longestMs);
}

/** Gives the ms by which the machine has kept this process waiting since, all in all. */
function measureLateness(): () => number {
  const everyMs = 50;
  let before = performance.now();
  let lateMs = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    lateMs += Math.max(0, now - before - 2 * everyMs);
    before = now;
  }, everyMs);
  return () => {
    clearInterval(timer);
    return lateMs;
  };
}

describe("a crowd on a slow line is served", () => {
  test("F17: more readers than lanes, at 700 kB/s for each connection", async () => {
    await expectServed({ line: { ratePerConnection: 700_000 }, crowd: "whole", count: 10 });
  });

  test.each<[Crowd, number]>([
    ["whole", 1],
    ["whole", 8],
    ["parts", 16],
    ["mixed", 40],
  ])("F17: %s, %d at once, over 4 MB/s with 40 ms of delay", async (crowd, count) => {
    const policy = { starveMs: 1_500 };
    await expectServed({ line: { rate: 4_000_000, delayMs: 40 }, crowd, count, policy });
  });

  test("F17: whole readers and parts at 300 kB/s for each connection", async () => {
    const policy = { starveMs: 3_000 };
    await expectServed({ line: { ratePerConnection: 300_000 }, crowd: "mixed", count: 40, policy });
  });

  test.each<[Crowd, number]>([
    ["whole", 8],
    ["parts", 16],
    ["mixed", 40],
  ])("F6: %s, %d at once, where connections are cut after about 1 MB", async (crowd, count) => {
    const cut = { after: [700_000, 1_300_000] } as const;
    await expectServed({ line: { rate: 4_000_000, delayMs: 20, cut }, crowd, count });
  });

  test("F17: where every third connection stalls after half a megabyte", async () => {
    const stall = { after: 500_000, every: 3 } as const;
    const policy = { starveMs: 1_500 };
    await expectServed({ line: { rate: 4_000_000, delayMs: 20, stall }, crowd: "mixed", count: 16, policy });
  });

  test("F17: where every third connection never answers", async () => {
    const stall = { after: 0, every: 3 } as const;
    await expectServed({ line: { rate: 4_000_000, delayMs: 20, stall }, crowd: "mixed", count: 16 });
  });

  test("F6: where each answer has an ETag and lengths of its own making", async () => {
    let answers = 0;
    const head = (text: string) => {
      answers += 1;
      const etag = `ETag: "node ${answers % 5}"`;
      return text
        .replace(/etag: [^\r]*/, etag)
        .replace(/\r\n\r\n$/, "\r\nTransfer-Encoding: chunked\r\n\r\n");
    };
    const fault = { kind: "raw", head, framing: "chunked" } as const;
    await expectServed({ line: { rate: 4_000_000, delayMs: 20 }, crowd: "mixed", count: 16, fault });
  });

  test.each(["refuse", "wait"] as const)("F17: where further connections than 2 %s", async (beyond) => {
    const limit = { connections: 2, beyond } as const;
    await expectServed({ line: { rate: 4_000_000, delayMs: 20, limit }, crowd: "mixed", count: 16 });
  });
});
