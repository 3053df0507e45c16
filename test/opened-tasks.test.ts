/** Shows what a server does by itself: it verifies at the time of its settings, and takes other settings while it runs. */
import { expect, onTestFinished, test } from "vitest";
import type { Settings } from "../src/config/settings.ts";
import { silentLog } from "../src/observe/log.ts";
import { createMetrics } from "../src/observe/metrics.ts";
import { OpenedTasks } from "../src/opened-tasks.ts";
import { Events } from "../src/records/events.ts";
import { FakeClock } from "./support/fake-clock.ts";
import { startWorld } from "./support/mirror-world.ts";
import { MemoryRows } from "./warm/warm-world.ts";

const HOUR = 3_600_000;

test("all that is stored is verified at the times of the settings, until they say never", async () => {
  const world = await startWorld();
  const clock = new FakeClock();
  const { mirror, contents } = world;
  const removals = mirror.contents;
  const tasks = new OpenedTasks({
    ...{
      mirror,
      contents,
      removals,
      clock,
      log: silentLog,
      metrics: createMetrics(),
      rows: new MemoryRows(),
      events: new Events(clock),
    },
    ...{ upstreams: () => [], isAtRest: false, isHere: async () => false, partials: async () => [] },
  });
  onTestFinished(() => tasks.close(5_000));
  const settings = { verify: "0 * * * *" } as Settings;
  await tasks.begin(settings);
  await clock.advance(HOUR);
  expect(await tasks.jobs.ended(1)).toMatchObject({
    ...{ kind: "verify", state: "done", input: { repair: true } },
    result: { isSound: true },
  });
  expect(tasks.reloadPart.takes).toContain("verify");
  const prepared = await tasks.reloadPart.prepare({} as Settings, false);
  prepared.apply();
  await clock.advance(5 * HOUR);
  expect(tasks.jobs.list()).toHaveLength(1);
});
