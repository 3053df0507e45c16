/** Owns what a node tells of itself: cheaply, with a rate that is one of seconds, and without what it cannot know. */
import { expect, test } from "vitest";
import { OwnState, stateOf } from "../../../src/fleet/view/node-state.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";

function node() {
  const clock = new FakeClock();
  const facts = { served: 0, asked: 0, isBroken: false };
  const stored = async () => {
    facts.asked += 1;
    if (facts.isBroken) throw new Error("the disk says no");
    return 10;
  };
  const numbers = { fills: () => 2, budget: () => 20, served: () => facts.served, unshared: () => 3 };
  const state = new OwnState({ ...numbers, stored }, { clock, log: silentLog });
  /** As heartbeats do it. */
  const beat = async (times: number) => {
    for (let each = 0; each < times; each++) {
      void state.told;
      await clock.advance(1_000);
    }
    return state.told;
  };
  return { facts, state, beat };
}

test("it is looked at once in three seconds, and the rate to clients is that of the time between", async () => {
  const { facts, beat, state } = node();
  expect(state.told).toEqual({});
  await settle();
  const before = { fills: 2, stored: 10, budget: 20, served: 0, unshared: 3 };
  expect(state.told).toEqual(before);
  facts.served = 6_000;
  await beat(3);
  await settle();
  expect(facts.asked).toBe(2);
  expect(state.told).toEqual({ ...before, served: 2_000 });
});

test("what cannot be looked at now is told as it was", async () => {
  const { facts, beat } = node();
  await beat(1);
  facts.isBroken = true;
  expect(await beat(5)).toMatchObject({ fills: 2, stored: 10 });
});

test("of what others tell only numbers that can be are believed", () => {
  const told = { fills: 1, stored: "2", budget: -1, served: Number.POSITIVE_INFINITY, unshared: null, x: 1 };
  expect(stateOf(told)).toEqual({ fills: 1 });
});
