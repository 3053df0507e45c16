/** Shows the warm-ups of the settings: they begin at their times, when a tag moves, and never twice at once. */
import { describe, expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../src/observe/log.ts";
import { type WarmList, WarmUps } from "../../src/warm/warm-ups.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM, type WorldOptions } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";
import { MemoryRows, openWarm, UPSTREAMS } from "./warm-world.ts";

const HOUR = 3_600_000;
/** Local time, as schedules are. */
const NOON = new Date(2026, 10, 28, 12, 0).getTime();

async function openWarmUps(
  options: WorldOptions,
  lists: (world: MirrorWorld) => readonly Partial<WarmList>[],
  leads?: () => boolean,
) {
  const world = await startWorld(options);
  const clock = new FakeClock();
  clock.setBy(NOON - clock.now());
  const rows = new MemoryRows();
  const jobs = await openWarm(world, rows, clock);
  const parts = { mirror: world.mirror, clock, log: silentLog, upstreams: () => UPSTREAMS, jobs };
  const warmUps = new WarmUps({ ...parts, leads, isHere: async () => false, partials: async () => [] });
  onTestFinished(async () => {
    warmUps.close();
    await jobs.close(5_000);
  });
  const references = [`${UPSTREAM}/a/b:1`];
  const set = () =>
    warmUps.set(
      lists(world).map((list) => ({ name: "base", references, platforms: [], attestations: false, ...list })),
    );
  set();
  return { world, clock, jobs, warmUps, set };
}

describe("a list with a schedule", () => {
  test("comes in at its times, and tells its next one and its last job", async () => {
    const { world, clock, jobs, warmUps } = await openWarmUps({}, () => [{ schedule: "0 3 * * *" }]);
    world.fake.addImage("a/b", "1", { layers: [10] });
    expect(warmUps.list()).toMatchObject([{ name: "base", dueAt: NOON + 15 * HOUR }]);
    expect(warmUps.list()[0]).not.toHaveProperty("last");
    await clock.advance(15 * HOUR);
    const { id } = jobs.list()[0] ?? { id: 0 };
    expect(await jobs.ended(id)).toMatchObject({ state: "done", result: { counts: { brought: 1 } } });
    expect(warmUps.list()).toMatchObject([{ dueAt: NOON + 39 * HOUR, last: { id, state: "done" } }]);
  });

  test("comes in at one node of a fleet, the one that leads at that moment", async () => {
    let isLeading = false;
    const { world, clock, jobs } = await openWarmUps(
      {},
      () => [{ schedule: "0 3 * * *" }],
      () => isLeading,
    );
    world.fake.addImage("a/b", "1", { layers: [10] });
    await clock.advance(15 * HOUR);
    expect(jobs.list()).toEqual([]);
    isLeading = true;
    await clock.advance(24 * HOUR);
    expect(jobs.list()).toHaveLength(1);
  });

  test("that still runs is left out at its next time", async () => {
    const { world, clock, jobs } = await openWarmUps(
      { settings: { bandwidth: { registry: MiB, cdn: MiB } } },
      () => [{ schedule: "0 * * * *" }],
    );
    world.fake.addImage("a/b", "1", { layers: [200 * MiB] });
    await clock.advance(5 * HOUR);
    expect(jobs.list()).toHaveLength(1);
    await jobs.close(5_000);
  });

  test("is made up once after a start when its time passed meanwhile", async () => {
    const { world, clock, jobs, warmUps, set } = await openWarmUps({}, () => [{ schedule: "0 3 * * *" }]);
    world.fake.addImage("a/b", "1", { layers: [10] });
    await clock.advance(15 * HOUR);
    await jobs.ended(1);
    // As if the server had been off for three days.
    warmUps.close();
    await clock.advance(72 * HOUR);
    set();
    await clock.advance(HOUR);
    expect(jobs.list()).toHaveLength(2);
    await jobs.ended(2);
    await clock.advance(HOUR);
    expect(jobs.list()).toHaveLength(2);
  });
});

describe("a list that is brought in when a tag moves", () => {
  test("comes in at the first look, then only what has moved, also tags that are new", async () => {
    const references = [`${UPSTREAM}/a/b:1`, `${UPSTREAM}/a/c:3.*`];
    const { world, clock, jobs } = await openWarmUps({}, () => [{ references, movedEveryMs: 15 * 60_000 }]);
    world.fake.addImage("a/b", "1", { layers: [10] });
    world.fake.addImage("a/c", "3.1", { layers: [11] });
    const lookAgain = async () => {
      world.clock.aheadMs += HOUR;
      await clock.advance(15 * 60_000);
    };
    await clock.advance(60_000);
    await eventually(() => expect(jobs.list()).toHaveLength(1));
    expect(jobs.list()[0]?.input).toMatchObject({ references: [`${UPSTREAM}/a/b:1`, `${UPSTREAM}/a/c:3.1`] });
    await jobs.ended(1);

    world.fake.forgetRequests();
    await lookAgain();
    await eventually(() => expect(world.fake.count({ method: "HEAD" })).toBe(2));
    await eventually(() => expect(clock.timers).toBeGreaterThan(0));
    expect(jobs.list()).toHaveLength(1);

    const moved = world.fake.addImage("a/b", "1", { layers: [2 * MiB], seed: 9 });
    world.fake.addImage("a/c", "3.2", { layers: [12], seed: 19 });
    await lookAgain();
    await eventually(() => expect(jobs.list()).toHaveLength(2));
    expect(jobs.list()[0]?.input).toMatchObject({ references: [`${UPSTREAM}/a/b:1`, `${UPSTREAM}/a/c:3.2`] });
    expect(await jobs.ended(2)).toMatchObject({ state: "done", result: { counts: { failed: 0 } } });
    await world.fake.pause();
    expect(await world.read("a/b", moved.layerDigests[0] ?? "")).toHaveLength(2 * MiB);
  });

  test("is left as it is while its registry cannot be asked", async () => {
    const { world, clock, jobs } = await openWarmUps({}, () => [{ movedEveryMs: 15 * 60_000 }]);
    world.fake.addImage("a/b", "1", { layers: [10] });
    await clock.advance(60_000);
    await eventually(() => expect(jobs.list()).toHaveLength(1));
    await jobs.ended(1);
    await world.fake.pause();
    for (let times = 0; times < 3; times++) {
      world.clock.aheadMs += HOUR;
      await clock.advance(15 * 60_000);
      await eventually(() => expect(clock.timers).toBeGreaterThan(0));
    }
    expect(jobs.list()).toHaveLength(1);
  });
});
