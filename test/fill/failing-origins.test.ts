/** F11, and what else an origin's failures mean: when lanes try again, give up, or go elsewhere. */
import { describe, expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { SimulatedOrigin } from "../simulation/simulated-origin.ts";
import { World } from "../simulation/world.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const gone = () => new GranaryError("not-found", "simulated: 404");

describe("failing origins", () => {
  test("F11: N failures in a row without progress stall the fill, and the partial is kept", async () => {
    const world = new World(1, 4 * MIB);
    const first = world.join({ start: 0, end: 200 * KIB });
    await world.finish(1_000);
    expect(first.outcome).toBe("done");
    await world.clock.advance(1_000);
    const before = world.origin.requests;
    world.origin.weather.refuse = 1;
    const second = world.join({ start: 3 * MIB, end: 4 * MIB });
    await world.finish(world.policy.outageMs - 1_000);
    expect(second.outcome).toBe("reading");
    await world.finish(10_000);
    expect(second.error).toMatchObject({ code: "upstream-unavailable" });
    // One lane tries for all of them, about once a second.
    const requests = world.origin.requests - before;
    expect(requests).toBeGreaterThanOrEqual(world.policy.attempts);
    expect(requests).toBeLessThanOrEqual(80);
    await world.checkNothingIsLeft();
    expect(world.store.savedOf(world.blob)?.ranges[0]).toMatchObject({ start: 0 });
  });

  test("F11: any progress resets the count, however often the connection is cut", async () => {
    const world = new World(2, 4 * MIB);
    world.origin.weather.cut = 0.4;
    const reader = world.join();
    await world.finish(3_600_000);
    expect(reader.outcome).toBe("done");
    expect(world.origin.requests).toBeGreaterThan(10 * world.policy.attempts);
  });

  test("F11: lanes that are cut together count as one failure", async () => {
    const world = new World(3, 32 * MIB, { attempts: 3 });
    const readers = [0, 8, 16, 24].map((at) => world.join({ start: at * MIB, end: (at + 8) * MIB }));
    await world.clock.advance(100);
    world.origin.weather.cut = 1;
    await world.clock.advance(50);
    world.origin.weather.cut = 0;
    await world.finish(60_000);
    expect(readers.map((reader) => reader.outcome)).toEqual(Array(4).fill("done"));
  });

  test("a blob that the first origin has not is fetched from the next", async () => {
    const world = new World(4, 4 * MIB);
    world.origin.refuseWith = gone;
    const reader = world.join();
    const other = new SimulatedOrigin(world.clock, world.random, world.blob.seed, 4 * MIB);
    other.name = "simulated/other";
    world.obtain({ ...world.blob, origin: other });
    await world.finish(60_000);
    expect(reader.outcome).toBe("done");
    expect(other.delivered).toBe(4 * MIB);
    await world.checkNothingIsLeft();
  });

  test("a blob that no origin has fails within a second with what they said, three times in a row", async () => {
    const world = new World(5, 4 * MIB);
    world.origin.refuseWith = gone;
    const reader = world.join();
    await world.clock.advance(700);
    expect(reader.error).toMatchObject({ code: "not-found" });
    expect(world.origin.requests).toBe(3);
    await world.checkNothingIsLeft();
  });

  test("a short Retry-After is waited for, a long one is passed on", async () => {
    const world = new World(6, MIB);
    let refusals = 1;
    world.origin.refuseWith = () =>
      refusals-- > 0 ? new GranaryError("rate-limited", "429", { retryAfterMs: 4_000 }) : undefined;
    const patient = world.join();
    await world.clock.advance(3_900);
    expect(world.origin.requests).toBe(1);
    await world.finish(10_000);
    expect(patient.outcome).toBe("done");

    const limited = new World(7, MIB);
    limited.origin.refuseWith = () => new GranaryError("rate-limited", "429", { retryAfterMs: 3_600_000 });
    const told = limited.join();
    await limited.clock.advance(100);
    expect(told.error).toMatchObject({ code: "rate-limited", facts: { retryAfterMs: 3_600_000 } });
  });
});
