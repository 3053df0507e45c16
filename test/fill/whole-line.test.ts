/**
 * How much of a line the engine uses, on the simulated one: crowds of whole readers, of parts and of both, over lines with a rate in all,
 * a rate per connection, a delay, a limit of connections, and cuts. F6 and F17 are asserted with it.
 */
import { describe, expect, test } from "vitest";
import { type LineSettings, SimulatedLine } from "../simulation/simulated-line.ts";
import { USUAL_POLICY } from "../simulation/usual-policy.ts";
import { World } from "../simulation/world.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
type Line = {
  readonly name: string;
  readonly settings: Partial<LineSettings>;
  /** Bytes per millisecond that so many connections can bring at best. */
  readonly gives: number;
};

const LINES: readonly Line[] = [
  { name: "4 MB/s in all, 40 ms there and back", settings: { rate: 4_000, delayMs: 20 }, gives: 4_000 },
  { name: "700 kB/s per connection", settings: { ratePerConnection: 700 }, gives: 6 * 700 },
  { name: "2 connections of 1 MB/s", settings: { ratePerConnection: 1_000, most: 2 }, gives: 2_000 },
  {
    name: "1 MB/s per connection, each cut after 1 MB, 40 ms there and back",
    settings: { ratePerConnection: 1_000, cutAfter: 1e6, delayMs: 20 },
    gives: (6 * 1e6) / (1_000 + 80),
  },
  {
    name: "300 kB/s in all, connections cut after 1 MB",
    settings: { rate: 300, cutAfter: 1e6, delayMs: 20 },
    gives: 300,
  },
];

type Crowd = readonly [kind: "whole" | "in parts" | "mixed", readers: number];

const CROWDS: readonly Crowd[] = [
  ["whole", 1],
  ["whole", 8],
  ["in parts", 8],
  ["in parts", 16],
  ["mixed", 40],
];

/** Lets the crowd read a blob that takes the line 12 s at best, to the end. */
async function read({ settings, gives }: Line, [kind, count]: Crowd) {
  const size = Math.floor(gives * 12_000);
  const world = new World(1, size, USUAL_POLICY);
  const line = new SimulatedLine(world.clock, settings);
  world.origin.line = line;
  Object.assign(world.origin.weather, { latencyMs: 0, chunkMs: 0, chunkBytes: 16 * KIB });
  const begunAt = world.clock.elapsed();
  const part = Math.ceil(size / count);
  for (let index = 0; index < count; index++) {
    const isWhole = kind === "whole" || (kind === "mixed" && index % 2 === 0);
    world.join(isWhole ? undefined : { start: index * part, end: Math.min(size, (index + 1) * part) });
  }
  if (kind === "in parts") world.join();
  await world.finish(300_000);
  return { world, line, size, tookMs: line.lastAt - begunAt };
}

describe.each(LINES)("a line of $name", (given) => {
  test.each(CROWDS)(
    "F6 F17: is used whole by readers %s, %i at once",
    { timeout: 120_000 },
    async (...crowd) => {
      const { world, line, size, tookMs } = await read(given, crowd);
      expect(world.readers.map(({ outcome, error }) => error ?? outcome)).toEqual(
        world.readers.map(() => "done"),
      );
      world.check();
      expect(size / tookMs / given.gives).toBeGreaterThan(0.88);
      expect(Math.max(...world.readers.map(({ longestWaitMs }) => longestWaitMs))).toBeLessThanOrEqual(5_000);
      // Nothing comes twice but what was on its way when a connection ended.
      expect(line.carried).toBeLessThan(size * 1.02 + 256 * KIB);
      await world.checkNothingIsLeft();
    },
  );
});

describe("a crowd of 200", () => {
  test.each(LINES.slice(0, 3))("F17: over $name, nobody starves", { timeout: 120_000 }, async (given) => {
    const { world } = await read({ ...given, gives: given.gives / 3 }, ["in parts", 200]);
    expect(world.readers.every(({ outcome }) => outcome === "done")).toBe(true);
    expect(Math.max(...world.readers.map(({ longestWaitMs }) => longestWaitMs))).toBeLessThanOrEqual(5_000);
    await world.checkNothingIsLeft();
  });
});

/** As forty clients pull a model: sixteen parts each, the same ones. */
describe("a crowd that waits at sixteen places", () => {
  const size = 48 * MIB;
  const part = size / 16;

  function crowd(lanes: number, settings: Partial<LineSettings>) {
    const world = new World(1, size, { ...USUAL_POLICY, lanes });
    const line = new SimulatedLine(world.clock, settings);
    world.origin.line = line;
    Object.assign(world.origin.weather, { latencyMs: 0, chunkMs: 0, chunkBytes: 16 * KIB });
    for (let index = 0; index < 4 * 16; index++) {
      const start = (index % 16) * part;
      world.join({ start, end: start + part });
    }
    return { world, line };
  }

  test.each([6, 16])(
    "F6 F17: costs the line one model, with %i lanes",
    { timeout: 120_000 },
    async (lanes) => {
      const { world, line } = crowd(lanes, { ratePerConnection: 1_000, delayMs: 40 });
      await world.finish(300_000);
      expect(world.readers.every(({ outcome }) => outcome === "done")).toBe(true);
      expect(Math.max(...world.readers.map(({ longestWaitMs }) => longestWaitMs))).toBeLessThanOrEqual(5_000);
      // What is under way on a connection is lost with it.
      expect(line.opened).toBeLessThanOrEqual(2 * lanes);
      expect(line.carried).toBeLessThan(size * 1.005);
      await world.checkNothingIsLeft();
    },
  );

  test("F6: ends no connection because the whole line stands still now and then", {
    timeout: 120_000,
  }, async () => {
    const { world, line } = crowd(16, { ratePerConnection: 1_000, delayMs: 40 });
    for (let pauses = 0; pauses < 4; pauses++) {
      await world.clock.advance(400);
      line.standStill(3_000);
      await world.clock.advance(3_000);
    }
    await world.finish(300_000);
    expect(world.readers.every(({ outcome }) => outcome === "done")).toBe(true);
    expect(line.opened).toBeLessThanOrEqual(24);
    expect(line.carried).toBeLessThan(size * 1.005);
    await world.checkNothingIsLeft();
  });
});
