/** Tests for src/fleet/upkeep/rebuild.ts: a database that was lost knows again what the bucket holds. */
import { expect, test } from "vitest";
import { objectKeyOf } from "../../../src/fleet/object-key.ts";
import { rebuildRows } from "../../../src/fleet/upkeep/rebuild.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { UpkeepWorld } from "./upkeep-world.ts";

test("every blob of the bucket has its row again, with its size, key and epoch", async () => {
  const world = new UpkeepWorld();
  const objects = [];
  for (let content = 1; content <= 1_010; content++) objects.push(await world.written(content, content % 7));
  await world.bucket.put("blobs/not-ours", new Uint8Array(3));
  const known = await world.stored(2_000, 5);
  const bytes = objects.reduce((sum, { size }) => sum + size, known.size);
  expect(await rebuildRows(world)).toEqual({ found: 1_011, restored: 1_010, bytes });
  const byKey = (a: { objectKey: string }, b: { objectKey: string }) => (a.objectKey < b.objectKey ? -1 : 1);
  expect(world.rows.objects.toSorted(byKey)).toEqual([...objects, known].sort(byKey));
  expect(await rebuildRows(world)).toEqual({ found: 1_011, restored: 0, bytes });
  expect(world.holders).toBe(0);
});

test("of several objects of a digest the newest counts", async () => {
  const world = new UpkeepWorld();
  for (const epoch of [9, 10, 2]) await world.written(1, epoch, epoch);
  await rebuildRows(world);
  expect(world.rows.objects.map(({ epoch, size }) => [epoch, size])).toEqual([[10, 10]]);
});

test("G6: epochs go on after the last one of any key, also of an upload that is not complete", async () => {
  const world = new UpkeepWorld();
  await world.written(1, 10, 41);
  await world.bucket.begin(objectKeyOf(digestOf(Buffer.from("x")), 77));
  await rebuildRows(world);
  expect(world.rows.lastEpoch).toBe(77);
});

test("it is not run while the bucket is tidied, and says when it could not be finished", async () => {
  const world = new UpkeepWorld();
  await world.written(1, 10);
  world.isHeldElsewhere = true;
  expect(await rebuildRows(world)).toBeUndefined();
  world.isHeldElsewhere = false;
  world.lost.abort();
  await expect(rebuildRows(world)).rejects.toMatchObject({ code: "aborted" });
  expect(world.rows.objects).toEqual([]);
  expect(world.holders).toBe(0);
});
