/** Checkpoints: a second or 64 MiB apart while bytes arrive, one at a time, none after the stop. */
import { expect, test } from "vitest";
import { Checkpoints } from "../../src/fill/open-partial.ts";
import type { Partial } from "../../src/store/partial.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";

const MIB = 1024 * 1024;

function checkpoints() {
  const clock = new FakeClock();
  const errors: unknown[] = [];
  const runs: PromiseWithResolvers<void>[] = [];
  const checkpoint = () => {
    const run = Promise.withResolvers<void>();
    runs.push(run);
    return run.promise;
  };
  const partial = { checkpoint } as unknown as Partial;
  return { clock, errors, runs, points: new Checkpoints(partial, clock, (error) => errors.push(error)) };
}

test("F8: bytes are saved within a second, and nothing is saved while none arrive", async () => {
  const { clock, runs, points } = checkpoints();
  await clock.advance(10_000);
  expect(runs).toHaveLength(0);
  points.arrived(1);
  await clock.advance(999);
  expect(runs).toHaveLength(0);
  await clock.advance(1);
  expect(runs).toHaveLength(1);
});

test("F8: 64 MiB are saved at once, one checkpoint at a time, and what came meanwhile is not forgotten", async () => {
  const { clock, runs, points } = checkpoints();
  points.arrived(64 * MIB);
  points.arrived(64 * MIB);
  expect(runs).toHaveLength(1);
  runs[0]?.resolve();
  await settle();
  expect(runs).toHaveLength(2);
  runs[1]?.resolve();
  await clock.advance(5_000);
  expect(runs).toHaveLength(2);
});

test("a failed checkpoint is told, and later bytes are saved again", async () => {
  const { clock, errors, runs, points } = checkpoints();
  points.arrived(1);
  await clock.advance(1_000);
  runs[0]?.reject(new Error("no room"));
  await settle();
  expect(errors).toHaveLength(1);
  points.arrived(1);
  await clock.advance(1_000);
  expect(runs).toHaveLength(2);
});

test("a stop waits for the checkpoint that runs and starts no other", async () => {
  const { clock, runs, points } = checkpoints();
  points.arrived(64 * MIB);
  points.arrived(1);
  let isStopped = false;
  const stopped = points.stop().then(() => {
    isStopped = true;
  });
  await settle();
  expect(isStopped).toBe(false);
  runs[0]?.resolve();
  await stopped;
  points.arrived(1);
  expect(clock.timers).toBe(0);
  await clock.advance(5_000);
  expect(runs).toHaveLength(1);
});
