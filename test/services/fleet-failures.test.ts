/** Shows that a node of a fleet, or its object store, may die in the middle of a transfer, and that clients and upstream hardly notice. */
import { afterEach, expect, test } from "vitest";
import type { GranaryProcess } from "../e2e/support/granary-process.ts";
import { describeWithPrograms } from "../e2e/support/required-programs.ts";
import { LONGEST_GAP_MS, mostSent } from "../support/services/fleet-bounds.ts";
import { type ClientReport, type FleetBlob, FleetWorld, LANES } from "../support/services/fleet-world.ts";
import { startSeaweedFs } from "../support/services/seaweedfs.ts";
import { startVersityGw } from "../support/services/versitygw.ts";

const MIB = 2 ** 20;
const SIZE = 64 * MIB;
const LINE = { rate: 8 * MIB };

let world: FleetWorld;
afterEach(() => world?.end());

async function begin(startStore = startSeaweedFs): Promise<void> {
  world = await FleetWorld.begin(LINE, startStore);
  await Promise.all(["a", "b", "c"].map((name) => world.node(name)));
}

function nodeOf(name: string): GranaryProcess {
  const node = world.nodes.get(name);
  if (node === undefined) throw new Error(`${name} is no node`);
  return node;
}

/** Ten clients at each node; the reports, by the node at which they began. */
function readEverywhere(blob: FleetBlob): Map<string, Promise<ClientReport[]>> {
  return new Map([...world.nodes].map(([name, node]) => [name, world.clients(blob, node)]));
}

/** When upstream has sent half of it: the node that brings it. */
async function inTheMiddle(blob: FleetBlob, bytes = SIZE / 2): Promise<[string, GranaryProcess]> {
  await world.sent(blob, bytes);
  const name = await world.filler(blob);
  return [name, nodeOf(name)];
}

/** All bytes came; G12 holds for those who are told apart by `survivors`. */
async function expectRight(reading: Map<string, Promise<ClientReport[]>>, lost?: string): Promise<void> {
  for (const [name, reports] of reading) {
    const all = await reports;
    console.log(
      "GAPS",
      name,
      Math.max(...all.map((r) => r.longestGapMs)),
      Math.max(...all.map((r) => r.returns)),
    );
    for (const { bytes, returns, longestGapMs } of await reports) {
      expect(bytes).toBe(SIZE);
      if (name === lost) continue;
      expect(returns).toBe(0);
      expect(longestGapMs).toBeLessThan(LONGEST_GAP_MS);
    }
  }
}

/** G5, G6: there is one object of it, and its bytes are right. */
async function expectStored(blob: FleetBlob): Promise<void> {
  console.log("UPSTREAM", world.fake.bytesSentFor(blob.digest) / blob.size);
  await expect.poll(async () => (await world.stored(blob))?.digest).toBe(blob.digest);
  await expect.poll(async () => (await world.stored(blob))?.keys.length).toBe(1);
  expect(await world.sql("select key from leases")).toEqual([]);
}

const STORES = [
  ["SeaweedFS", "weed", startSeaweedFs],
  ["versitygw", "versitygw", startVersityGw],
] as const;

for (const [store, program, startStore] of STORES) {
  describeWithPrograms([program], `three nodes over ${store}`, () => {
    test("G4, G12: the filler is killed in the middle, and its clients come back elsewhere", async () => {
      await begin(startStore);
      const blob = world.blob(1, SIZE);
      const reading = readEverywhere(blob);
      const [name, filler] = await inTheMiddle(blob);
      await filler.kill();
      await expectRight(reading, name);
      expect(world.fake.bytesSentFor(blob.digest)).toBeLessThanOrEqual(
        mostSent(SIZE, LANES, world.losses + 1),
      );
      await expectStored(blob);
    });

    test("G3: the store is away for a while: fills and peers go on, and what it alone had is fetched anew", async () => {
      await begin(startStore);
      const [atNode, atStore, blob] = [world.blob(2, 9 * MIB), world.blob(3, 9 * MIB), world.blob(4, SIZE)];
      const [a, gone] = [nodeOf("a"), await world.node("gone")];
      await Promise.all([world.read(atNode, [a]), world.read(atStore, [gone])]);
      await expect.poll(() => world.sql("select digest from blobs")).toHaveLength(2);
      await gone.stop();
      world.nodes.delete("gone");
      const reading = readEverywhere(blob);
      await inTheMiddle(blob);
      await world.store.stop();
      const fresh = await world.node("fresh");
      expect(await world.read(atNode, [fresh])).toMatchObject({ returns: 0 });
      expect(world.fake.bytesSentFor(atNode.digest)).toBe(9 * MIB);
      expect(await world.read(atStore, [fresh])).toMatchObject({ returns: 0 });
      expect(world.fake.bytesSentFor(atStore.digest)).toBe(2 * 9 * MIB);
      await expectRight(reading);
      await world.store.start();
      expect(world.fake.bytesSentFor(blob.digest)).toBeLessThanOrEqual(mostSent(SIZE, LANES, world.losses));
      await expectStored(blob);
    });
  });
}

describeWithPrograms(["weed"], "three nodes", () => {
  test("G4: the filler is killed when nobody follows it: its parts are in the bucket, and only the rest is fetched", async () => {
    await begin();
    const blob = world.blob(5, SIZE);
    const reading = new Map([["a", world.clients(blob, nodeOf("a"))]]);
    // So late that without its parts more would be fetched again than G4 allows.
    await inTheMiddle(blob, (7 / 8) * SIZE);
    await nodeOf("a").kill();
    // The clients go on where they were; somebody wants the beginning too.
    reading.set("b", world.clients(blob, nodeOf("b"), 1));
    await expectRight(reading, "a");
    expect(world.fake.bytesSentFor(blob.digest)).toBeLessThanOrEqual(mostSent(SIZE, LANES, world.losses + 1));
    await expectStored(blob);
  });

  test("G2, G6, G13: the filler is frozen for 9 s: when it wakes it is fenced and follows, and its own clients end right", async () => {
    await begin();
    const blob = world.blob(6, SIZE);
    const reading = readEverywhere(blob);
    const [name, filler] = await inTheMiddle(blob);
    filler.freeze();
    await new Promise((resolve) => setTimeout(resolve, 9_000));
    filler.thaw();
    await expectRight(reading, name);
    expect(filler.log).toContain("this node has lost its leases");
    expect(world.fake.bytesSentFor(blob.digest)).toBeLessThanOrEqual(mostSent(SIZE, LANES, world.losses));
    await expectStored(blob);
  });
});
