/** Tests for src/fleet/upkeep/bucket-janitor.ts and leftovers.ts: the bucket keeps its budget, and nothing goes that somebody may be reading. */
import { expect, test } from "vitest";
import { objectKeyOf, partsKeyOf } from "../../../src/fleet/object-key.ts";
import { BucketJanitor } from "../../../src/fleet/upkeep/bucket-janitor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { collect } from "../../support/collect.ts";
import { DAY, MINUTE, UpkeepWorld } from "./upkeep-world.ts";

const keysOf = async (world: UpkeepWorld) => (await collect(world.bucket.list(""))).map(({ key }) => key);

test("G9: the coldest objects beyond the budget are doomed, and go a quarter of an hour later", async () => {
  const world = new UpkeepWorld();
  const objects = [];
  for (let content = 1; content <= 5; content++) {
    objects.push(await world.stored(content, 100));
    await world.clock.advance(1_000);
  }
  const [first, second, ...others] = objects;
  const janitor = new BucketJanitor(world);
  expect(await janitor.round(350)).toMatchObject({ doomed: 2, deleted: 0 });
  expect(world.rows.doomed).toEqual([first?.digest, second?.digest]);
  await world.clock.advance(14 * MINUTE);
  expect(await janitor.round(350)).toMatchObject({ doomed: 0, deleted: 0 });
  expect(await keysOf(world)).toHaveLength(5);
  await world.clock.advance(2 * MINUTE);
  expect(await janitor.round(350)).toMatchObject({ doomed: 0, deleted: 2, deletedBytes: 200 });
  expect(await keysOf(world)).toEqual(others.map(({ objectKey }) => objectKey).sort());
  expect(world.rows.objects).toEqual(others);
});

test("G9: an object that is used after it was doomed stays, and another goes for it", async () => {
  const world = new UpkeepWorld();
  const used = await world.stored(1, 100);
  await world.clock.advance(1_000);
  const other = await world.stored(2, 100);
  const janitor = new BucketJanitor(world);
  await janitor.round(100);
  expect(world.rows.doomed).toEqual([used.digest]);
  await world.clock.advance(14 * MINUTE);
  await world.rows.revive([used.digest]);
  expect(await janitor.round(100)).toMatchObject({ doomed: 1, deleted: 0 });
  await world.clock.advance(15 * MINUTE);
  expect(await janitor.round(100)).toMatchObject({ deleted: 1 });
  expect(await keysOf(world)).toEqual([used.objectKey]);
  expect(await world.bucket.head(other.objectKey)).toBeUndefined();
});

test("without a budget nothing is doomed", async () => {
  const world = new UpkeepWorld();
  await world.stored(1, 100);
  expect(await new BucketJanitor(world).round(Number.POSITIVE_INFINITY)).toMatchObject({
    doomed: 0,
    deleted: 0,
  });
});

test("a budget that was cut down is kept over more objects than are looked at together", async () => {
  const world = new UpkeepWorld();
  for (let content = 1; content <= 1_101; content++) await world.stored(content, 1);
  const janitor = new BucketJanitor(world);
  expect(await janitor.round(0)).toMatchObject({ doomed: 1_101 });
  await world.clock.advance(16 * MINUTE);
  expect(await janitor.round(0)).toMatchObject({ deleted: 1_101 });
  expect(await keysOf(world)).toEqual([]);
});

test("one node of all tidies; whoever loses the lease stops, and it is given back", async () => {
  const world = new UpkeepWorld();
  await world.stored(1, 100);
  const janitor = new BucketJanitor(world);
  world.isHeldElsewhere = true;
  expect(await janitor.round(0)).toBeUndefined();
  expect(world.rows.doomed).toEqual([]);
  world.isHeldElsewhere = false;
  world.lost.abort();
  expect(await janitor.round(0)).toMatchObject({ doomed: 0, deleted: 0 });
  expect(world.holders).toBe(0);
});

test("a bucket that is away fails the round, and what has lost its row goes with the leftovers", async () => {
  const world = new UpkeepWorld();
  const gone = await world.stored(1, 100);
  const janitor = new BucketJanitor(world);
  await janitor.round(0);
  const kept = await world.stored(2, 100);
  await world.clock.advance(16 * MINUTE);
  world.bucket.away = true;
  await expect(janitor.round(1_000)).rejects.toMatchObject({ code: "fleet-unavailable" });
  expect(world.holders).toBe(0);
  world.bucket.away = false;
  expect(await keysOf(world)).toContain(gone.objectKey);
  await world.clock.advance(DAY);
  expect(await janitor.round(1_000)).toMatchObject({ leftObjects: 1 });
  expect(await keysOf(world)).toEqual([kept.objectKey]);
});

test("what nobody knows of goes after a day: objects without a row, uploads without a lease, leftovers of a check", async () => {
  const world = new UpkeepWorld();
  const kept = await world.stored(1, 100);
  const left = await world.written(2, 100);
  await world.bucket.put(partsKeyOf(left.objectKey), Buffer.from("[1]"));
  const key = (content: string) => objectKeyOf(digestOf(Buffer.from(content)), 9);
  await world.bucket.begin(key("left behind"));
  const running = await world.bucket.begin(key("still running"));
  world.rows.noted.add(key("still running"));
  await world.bucket.put(".granary-check/0123", new Uint8Array(64));
  await world.bucket.put("somebody else's", new Uint8Array(1));
  await world.clock.advance(DAY - MINUTE);
  expect(await new BucketJanitor(world).round(1_000)).toMatchObject({ leftObjects: 0, leftUploads: 0 });
  const young = await world.written(3, 100);
  await world.clock.advance(2 * MINUTE);
  expect(await new BucketJanitor(world).round(1_000)).toMatchObject({ leftObjects: 3, leftUploads: 1 });
  expect(await keysOf(world)).toEqual([kept.objectKey, young.objectKey, "somebody else's"].sort());
  expect(await world.bucket.head(left.objectKey)).toBeUndefined();
  expect((await collect(world.bucket.uploads(""))).map(({ uploadId }) => uploadId)).toEqual([running]);
});

test.each([
  ["of nothing", 0],
  ["of less than half", 20],
])("a bucket is never emptied because the database knows %s", async (_, knownCount) => {
  const world = new UpkeepWorld();
  for (let content = 1; content <= knownCount; content++) await world.stored(content, 1);
  for (let content = 101; content <= 130; content++) await world.written(content, 1);
  await world.clock.advance(2 * DAY);
  expect(await new BucketJanitor(world).round(1_000)).toMatchObject({ leftObjects: 0 });
  expect(await keysOf(world)).toHaveLength(knownCount + 30);
});
