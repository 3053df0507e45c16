/**
 * A client beside a warm-up, with the real parts over real sockets and a slow line: what the line carries while a client reads is the
 * client's. lane-order.test.ts has the same in simulated time, with the times that it takes.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { DEFAULT_POLICY } from "../../src/config/defaults.ts";
import type { Purpose } from "../../src/purpose.ts";
import { eventually } from "../support/patience.ts";
import { type RealFills, realFills } from "../support/real-fills.ts";
import { type LineSettings, SlowLine } from "../support/slow-line.ts";

const MIB = 2 ** 20;
const WARM = 8;

async function startLine(settings: Partial<LineSettings>) {
  const line = new SlowLine(settings);
  onTestFinished(() => line.close());
  return { line, real: await realFills({ line, policy: DEFAULT_POLICY }) };
}

/** Each reads its blob to the end; what it was given is checked byte by byte. */
function begin(real: RealFills, count: number, purpose: Purpose, size: number) {
  const blobs = Array.from({ length: count }, (_, index) => real.blob(100 + index, size));
  return blobs.map((blob) => blob.read(undefined, undefined, { purpose }));
}

describe.each([
  { name: "which gives all connections", settings: { rate: 4_000_000, delayMs: 20 } },
  {
    name: "which gives 4 connections, and refuses more",
    settings: { rate: 4_000_000, delayMs: 20, limit: { connections: 4, beyond: "refuse" } },
  },
] as const)("on a line $name", ({ settings }) => {
  test("a client has the line for itself while 8 fills of a warm-up run, and then they have it", async () => {
    const { line, real } = await startLine(settings);
    const size = 8 * MIB;
    const warming = begin(real, WARM, "warm", 3 * MIB);
    await eventually(() =>
      expect(real.fills.status().filter(({ present }) => present > 0).length).toBeGreaterThan(1),
    );
    const client = real.blob(1, size);
    const reading = client.read();
    // The opening of its file is not the line's.
    const own = () => real.fills.find({ digest: client.digest, upstream: "fake.test" })?.facts;
    await eventually(() => expect(own()?.present).toBeGreaterThan(0));
    const [before, had] = [line.account.carried, own()?.present ?? 0];
    expect(await reading).toBe(size);
    const carried = line.account.carried - before;
    expect((size - had) / carried).toBeGreaterThan(0.93);
    expect(await Promise.all(warming)).toEqual(warming.map(() => 3 * MIB));
  });
});
