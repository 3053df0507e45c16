/** Shows that what is on a disk and not in the bucket gets there, also after the database or the bucket were away. */
import { expect, onTestFinished, test } from "vitest";
import { ShareStored } from "../../../src/fleet/transfers/share-stored.ts";
import { fleetNodes } from "../../support/fleet-nodes.ts";
import { adoptPattern } from "../../support/temp-store.ts";

const MIB = 2 ** 20;

async function stored() {
  const world = await fleetNodes();
  const node = await world.node("a");
  const digest = await adoptPattern(node.store, 1, 20 * MIB);
  const sharing = new ShareStored(node.parts);
  onTestFinished(() => sharing.close());
  return { ...world, node, digest, sharing };
}

test("a blob that came without the fleet is shared once, with its own lease", async () => {
  const { bucket, shared, digest, sharing } = await stored();
  sharing.add(digest);
  sharing.add(digest);
  await expect.poll(() => shared.rows.blobs.get(digest)?.size).toBe(20 * MIB);
  expect(bucket.requests).toMatchObject({ begin: 1, putPart: 3, complete: 1 });
  await expect.poll(() => [sharing.waiting, shared.rows.leases.size]).toEqual([0, 0]);
  sharing.add(digest);
  await expect.poll(() => sharing.waiting).toBe(0);
  expect(bucket.requests.begin).toBe(1);
});

test("while the bucket is away it waits, and goes on where it was", async () => {
  const { bucket, shared, digest, sharing } = await stored();
  bucket.away = true;
  sharing.add(digest);
  await expect.poll(() => bucket.requests.begin).toBeGreaterThan(0);
  expect(shared.rows.blobs.size).toBe(0);
  bucket.away = false;
  await expect.poll(() => shared.rows.blobs.get(digest)?.size).toBe(20 * MIB);
});

test("one that is on the disk no more is let go", async () => {
  const { node, shared, digest, sharing } = await stored();
  await node.store.blobs.remove(digest);
  sharing.add(digest);
  await expect.poll(() => sharing.waiting).toBe(0);
  expect(shared.rows.blobs.size).toBe(0);
});

test("a blob that cannot be read back ends nothing: it is served, and shared another time", async () => {
  const settings = { bandwidth: { registry: 2 * MIB, cdn: undefined } };
  const { node: startNode, blob } = await fleetNodes({ settings });
  const node = await startNode("a");
  const { open } = node.store.blobs;
  let isBroken = false;
  node.store.blobs.open = async (digest) => {
    if (isBroken) throw new TypeError("a fault of ours");
    return await open.call(node.store.blobs, digest);
  };
  const it = blob(3, 9 * MIB);
  const reading = node.read(it);
  await expect.poll(() => node.transfers.held.length).toBe(1);
  isBroken = true;
  expect(await reading).toBe(9 * MIB);
  await expect.poll(() => node.unshared).toEqual([it.digest]);
  isBroken = false;
  await expect.poll(async () => await node.store.blobs.stat(it.digest)).toEqual({ size: 9 * MIB });
});
