/** What an outage of the upstream does to transfers: they wait, they say so once, and they go on when it is back. */
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { SimulatedLine } from "../simulation/simulated-line.ts";
import { World } from "../simulation/world.ts";

const MIB = 1024 * 1024;

/** A world whose bytes come over a line of 1 MB/s per connection, that can go away. */
function worldOnALine(seed: number, size: number): { world: World; line: SimulatedLine; lines: string[] } {
  const world = new World(seed, size, { outageMs: 120_000 });
  const line = new SimulatedLine(world.clock, { ratePerConnection: 1_000, delayMs: 10 });
  world.origin.line = line;
  Object.assign(world.origin.weather, { latencyMs: 0, chunkMs: 0, chunkBytes: 16 * 1024 });
  const lines: string[] = [];
  world.log = pino(
    { level: "info" },
    { write: (text) => lines.push((JSON.parse(text) as { msg: string }).msg) },
  );
  return { world, line, lines };
}

describe("an outage", () => {
  test.each([2_000, 4_000, 60_000, 115_000])(
    "F11: of %i ms in the middle of a transfer costs its readers that time and a second, and no byte twice",
    async (outageMs) => {
      const { world, line } = worldOnALine(1, 24 * MIB);
      await world.restart();
      const readers = [world.join(), world.join({ start: 12 * MIB, end: 20 * MIB })];
      await world.clock.advance(1_500);
      line.settings.isAway = true;
      await world.clock.advance(outageMs);
      line.settings.isAway = false;
      const before = line.carried;
      await world.clock.advance(1_100);
      expect(line.carried).toBeGreaterThan(before);
      await world.finish(60_000);
      expect(readers.map(({ outcome, error }) => error ?? outcome)).toEqual(["done", "done"]);
      expect(line.carried).toBeLessThan(24 * MIB + 6 * 64 * 1024);
      await world.checkNothingIsLeft();
    },
  );

  test("F11: that lasts longer than outage ends the transfer with what was there kept, and says why", async () => {
    const { world, line } = worldOnALine(2, 8 * MIB);
    const reader = world.join();
    await world.clock.advance(1_000);
    line.settings.isAway = true;
    await world.clock.advance(119_000);
    expect(reader.outcome).toBe("reading");
    await world.clock.advance(5_000);
    expect(reader.error).toMatchObject({ code: "upstream-unavailable" });
    expect(world.store.savedOf(world.blob)?.ranges.length).toBeGreaterThan(0);
    await world.checkNothingIsLeft();
  });

  test("is one line in the log when it begins and one when it is over, however many lanes and tries it costs", async () => {
    const { world, line, lines } = worldOnALine(3, 24 * MIB);
    await world.restart();
    const reader = world.join();
    await world.clock.advance(1_500);
    line.settings.isAway = true;
    await world.clock.advance(15_000);
    line.settings.isAway = false;
    await world.finish(60_000);
    expect(reader.outcome).toBe("done");
    await world.clock.advance(15_000);
    expect(lines).toEqual(["a lane failed", "this trouble is over"]);
  });

  test("that our client knows of is waited for without a request, and without a line for each look", async () => {
    const { world, lines } = worldOnALine(4, 4 * MIB);
    await world.restart();
    const awayFrom = world.clock.elapsed();
    world.origin.refuseWith = () =>
      new GranaryError("upstream-unavailable", "simulated: known to be away", {
        unsentForMs: world.clock.elapsed() - awayFrom,
      });
    const early = world.join();
    await world.clock.advance(100_000);
    expect(early.outcome).toBe("reading");
    // Who comes when it is known to be long away hears it at once.
    await world.clock.advance(30_000);
    expect(early.error).toMatchObject({ code: "upstream-unavailable" });
    const late = world.join();
    await world.clock.advance(500);
    expect(late.error).toMatchObject({ code: "upstream-unavailable" });
    expect(lines).toEqual([]);
  });
});

describe("what one answer says", () => {
  const refusal = (code: "not-found" | "denied" | "range-unsatisfiable", upstreamStatus: number) =>
    new GranaryError(code, `simulated: ${upstreamStatus}`, { upstreamStatus });

  test.each([
    ["a 416", refusal("range-unsatisfiable", 416)],
    ["a 404", refusal("not-found", 404)],
    ["a 403", refusal("denied", 403)],
    [
      "a 429",
      new GranaryError("rate-limited", "simulated: 429", { upstreamStatus: 429, retryAfterMs: 1_000 }),
    ],
  ])("%s of one node, for one range of many, is that lane's trouble", async (_name, refused) => {
    const { world } = worldOnALine(5, 16 * MIB);
    let answers = 0;
    // Every third answer comes from a node that has it not.
    world.origin.refuseWith = () => (++answers % 3 === 0 ? refused : undefined);
    const readers = [world.join(), world.join({ start: 9 * MIB, end: 12 * MIB })];
    await world.finish(120_000);
    expect(readers.map(({ outcome, error }) => error ?? outcome)).toEqual(["done", "done"]);
  });

  test("a document in place of the blob, in an incident, does not cost what is there", async () => {
    const { world } = worldOnALine(6, 16 * MIB);
    const reader = world.join();
    await world.clock.advance(1_500);
    const until = world.clock.elapsed() + 20_000;
    world.origin.refuseWith = () =>
      world.clock.elapsed() < until ? new GranaryError("size-mismatch", "simulated: 512 bytes") : undefined;
    world.origin.stallBodies();
    await world.finish(120_000);
    expect(reader.error).toBeUndefined();
    expect(reader.outcome).toBe("done");
    expect(world.store.discards).toBe(0);
  });

  test.each([401, 403])(
    "a %i in the middle of a transfer is an incident; its bytes are not gone",
    async (status) => {
      const { world } = worldOnALine(7, 16 * MIB);
      const reader = world.join();
      await world.clock.advance(1_500);
      const until = world.clock.elapsed() + 30_000;
      const code = status === 401 ? "not-found" : "denied";
      world.origin.refuseWith = () =>
        world.clock.elapsed() < until
          ? new GranaryError(code, "simulated", { upstreamStatus: status })
          : undefined;
      world.origin.stallBodies();
      await world.finish(120_000);
      expect(reader.error ?? reader.outcome).toBe("done");
    },
  );

  test("a 404 that is said again and again is believed, also of a transfer that has begun", async () => {
    const { world } = worldOnALine(8, 16 * MIB);
    const reader = world.join();
    await world.clock.advance(1_500);
    world.origin.refuseWith = () => refusal("not-found", 404);
    world.origin.stallBodies();
    await world.finish(30_000);
    expect(reader.error).toMatchObject({ code: "not-found" });
  });
});
