/** Shows when a node leaves a blob to the others: when nothing comes to it, while something is waited for. */
import { beforeEach, describe, expect, test } from "vitest";
import { HandOver } from "../../../src/fleet/transfers/hand-over.ts";
import { FakeClock } from "../../support/fake-clock.ts";

let clock: FakeClock;
let handOver: HandOver;
beforeEach(() => {
  clock = new FakeClock();
  handOver = new HandOver(clock);
  handOver.begun();
  handOver.followed();
});

/** Whether it is due once `ms` have passed. */
async function isDueAfter(ms: number): Promise<boolean> {
  await clock.advance(ms);
  return handOver.isDue();
}

describe("a blob is left to the others", () => {
  test("ten seconds after the last byte, while more is waited for", async () => {
    handOver.waits();
    await clock.advance(9_000);
    handOver.came();
    expect(await isDueAfter(10_000)).toBe(false);
    expect(await isDueAfter(1)).toBe(true);
  });

  test("three seconds after it where something failed, also between two tries", async () => {
    handOver.waits()();
    handOver.failed();
    expect(await isDueAfter(3_000)).toBe(false);
    expect(await isDueAfter(1)).toBe(true);
  });

  test("not while nobody waits for bytes: that none come shows nothing", async () => {
    handOver.waits()();
    expect(await isDueAfter(60_000)).toBe(false);
    handOver.waits();
    expect(await isDueAfter(10_000)).toBe(false);
    expect(await isDueAfter(1)).toBe(true);
  });

  test("not where nobody else reads it: nobody would bring it sooner", async () => {
    const alone = new HandOver(clock);
    alone.begun();
    const over = alone.followed();
    alone.waits();
    alone.failed();
    over();
    over();
    await clock.advance(60_000);
    expect(alone.isDue()).toBe(false);
    alone.followed();
    expect(alone.isDue()).toBe(true);
  });

  test("not for the time in which a reader took nothing: that a read ends after it is no waiting", async () => {
    const over = handOver.waits();
    handOver.came();
    over();
    await clock.advance(60_000);
    over();
    handOver.waits();
    expect(await isDueAfter(10_000)).toBe(false);
    expect(await isDueAfter(1)).toBe(true);
  });

  test("also when each try is given up before it is over", async () => {
    for (let tries = 0; tries < 3; tries++) {
      const over = handOver.waits();
      await clock.advance(4_000);
      over();
    }
    handOver.waits();
    expect(handOver.isDue()).toBe(true);
  });

  test("with twice the patience each time, until a byte comes: an upstream may take long for everybody", async () => {
    handOver.waits();
    expect(await isDueAfter(10_001)).toBe(true);
    handOver.begun();
    expect(await isDueAfter(10_001)).toBe(false);
    expect(await isDueAfter(10_000)).toBe(true);
    handOver.begun();
    handOver.failed();
    expect(await isDueAfter(12_000)).toBe(false);
    expect(await isDueAfter(1)).toBe(true);
    handOver.came();
    expect(await isDueAfter(10_001)).toBe(true);
  });
});
