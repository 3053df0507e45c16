/** Shows what a node says while the database or the bucket of its fleet does not answer. */
import { expect, test } from "vitest";
import { FleetHealth } from "../../../src/fleet/upkeep/fleet-health.ts";
import { Episodes } from "../../../src/observe/episodes.ts";
import { silentLog } from "../../../src/observe/log.ts";
import type { Trouble } from "../../../src/observe/troubles.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { MemoryBucket } from "../../support/memory-bucket.ts";
import { memoryFleet } from "../../support/memory-fleet.ts";

async function world() {
  const clock = new FakeClock();
  const shared = memoryFleet({ clock });
  const fleet = await shared.node("a");
  const bucket = new MemoryBucket(clock);
  const troubles = new Episodes<Trouble>(silentLog, clock, Number.POSITIVE_INFINITY);
  return { shared, bucket, troubles, health: new FleetHealth({ fleet, bucket, troubles }) };
}

test("the database: at once, with what to do, and that it is over", async () => {
  const { shared, troubles } = await world();
  shared.database.away = true;
  await expect.poll(() => troubles.keys).toEqual(["fleet-database"]);
  expect(troubles.current[0]).toMatch(
    /Bring the database of the fleet back\. Until then what is stored here is served/,
  );
  shared.database.away = false;
  await expect.poll(() => troubles.keys).toEqual([]);
});

test("the bucket: after a second failure, and that it is over", async () => {
  const { bucket, troubles, health } = await world();
  bucket.away = true;
  await health.look();
  expect(troubles.keys).toEqual([]);
  await health.look();
  expect(troubles.keys).toEqual(["fleet-bucket"]);
  bucket.away = false;
  await health.look();
  expect(troubles.keys).toEqual([]);
});

test("nothing once it is closed", async () => {
  const { shared, troubles, health } = await world();
  health.close();
  shared.database.away = true;
  await new Promise(setImmediate);
  expect(troubles.keys).toEqual([]);
});
