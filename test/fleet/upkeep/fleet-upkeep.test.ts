/** Shows what one node does for the whole fleet, round by round. */
import { expect, test } from "vitest";
import { FleetUpkeep } from "../../../src/fleet/upkeep/fleet-upkeep.ts";
import type { Digest } from "../../../src/oci/digest.ts";
import { UpkeepWorld } from "./upkeep-world.ts";

function upkeepOf(world: UpkeepWorld, leaving: Digest[] = []) {
  const { bucket, rows, fleet, clock, log } = world;
  return new FleetUpkeep({
    ...{ bucket, rows, fleet, clock, log },
    maxSize: Number.POSITIVE_INFINITY,
    leaving: {
      stillLeaving: async () => [...leaving],
      haveLeft: async (left) => void leaving.splice(0, left.length),
    },
    prune: async () => undefined,
  });
}

test("a database that was made anew is filled from the bucket, once, also where something was committed to it first", async () => {
  const world = new UpkeepWorld();
  const upkeep = upkeepOf(world);
  await upkeep.round();
  await world.written(1, 10);
  await upkeep.round();
  // Its own database does not know it: that is an upload whose node died.
  expect(world.rows.objects).toEqual([]);
  world.rows.database = "second";
  await world.stored(2, 20);
  await upkeep.round();
  expect(world.rows.objects).toHaveLength(2);
  const { list } = world.bucket.requests;
  await upkeep.round();
  expect(world.bucket.requests.list).toBe(list);
});

test("another node that looks later finds that it was done", async () => {
  const world = new UpkeepWorld();
  await world.written(1, 10);
  await upkeepOf(world).round();
  expect(world.rows.objects).toHaveLength(1);
  await world.written(2, 10);
  await upkeepOf(world).round();
  expect(world.rows.objects).toHaveLength(1);
});

test("what has left the last repository goes from the bucket", async () => {
  const world = new UpkeepWorld();
  const { digest } = await world.stored(1, 10);
  const leaving = [digest];
  await upkeepOf(world, leaving).round();
  expect(world.rows.doomed).toEqual([digest]);
  expect(leaving).toEqual([]);
});

test("while the bucket is away nothing fails, and the next round does it", async () => {
  const world = new UpkeepWorld();
  await world.written(1, 10);
  const upkeep = upkeepOf(world);
  world.bucket.away = true;
  await upkeep.round();
  world.bucket.away = false;
  await upkeep.round();
  expect(world.rows.objects).toHaveLength(1);
});
