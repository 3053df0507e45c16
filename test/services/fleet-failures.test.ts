/** Shows that a node of a fleet, or its object store, may die in the middle of a transfer, and that clients and upstream hardly notice. */
import { afterEach, expect, test } from "vitest";
import { describeWithPrograms } from "../e2e/support/required-programs.ts";
import { FailureDrill } from "../support/services/failure-drill.ts";
import { FleetWorld } from "../support/services/fleet-world.ts";
import { startSeaweedFs } from "../support/services/seaweedfs.ts";
import { startVersityGw } from "../support/services/versitygw.ts";

const MIB = 2 ** 20;
const SIZE = 64 * MIB;
const LINE = { rate: 8 * MIB };

let world: FleetWorld;
let drill: FailureDrill;
afterEach(() => world?.end());

async function begin(startStore = startSeaweedFs): Promise<void> {
  world = await FleetWorld.begin(LINE, startStore);
  drill = new FailureDrill(world);
  await Promise.all(["a", "b", "c"].map((name) => world.node(name)));
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
      const reading = drill.readEverywhere(blob);
      const [name, filler] = await drill.inTheMiddle(blob);
      await filler.kill();
      await drill.expectRight(reading, name);
      drill.expectSpent(blob, { killed: 1 });
      await drill.expectStored(blob);
    });

    test("G3: the store is away for a while: fills and peers go on, and what it alone had is fetched anew", async () => {
      await begin(startStore);
      const [atNode, atStore, blob] = [world.blob(2, 9 * MIB), world.blob(3, 9 * MIB), world.blob(4, SIZE)];
      const gone = await world.node("gone");
      await Promise.all([world.read(atNode, [drill.node("a")]), world.read(atStore, [gone])]);
      await expect.poll(() => world.sql("select digest from blobs")).toHaveLength(2);
      await gone.stop();
      world.nodes.delete("gone");
      const reading = drill.readEverywhere(blob);
      await drill.inTheMiddle(blob);
      await world.store.stop();
      const fresh = await world.node("fresh");
      expect(await world.read(atNode, [fresh])).toMatchObject({ returns: 0 });
      expect(world.fake.bytesSentFor(atNode.digest)).toBe(9 * MIB);
      expect(await world.read(atStore, [fresh])).toMatchObject({ returns: 0 });
      expect(world.fake.bytesSentFor(atStore.digest)).toBe(2 * 9 * MIB);
      await drill.expectRight(reading);
      await world.store.start();
      drill.expectSpent(blob, { besides: 3 * 9.5 * MIB });
      await drill.expectStored(blob);
    });
  });
}

describeWithPrograms(["weed"], "three nodes", () => {
  test("G4: the filler is killed when nobody follows it: its parts are in the bucket, and only the rest is fetched", async () => {
    await begin();
    const blob = world.blob(5, SIZE);
    const reading = new Map([["a", world.clients(blob, drill.node("a"))]]);
    // So late that without its parts more would be fetched again than G4 allows.
    await drill.inTheMiddle(blob, (7 / 8) * SIZE);
    await drill.node("a").kill();
    // The clients go on where they were; somebody wants the beginning too.
    reading.set("b", world.clients(blob, drill.node("b"), 1));
    await drill.expectRight(reading, "a");
    drill.expectSpent(blob, { killed: 1 });
    await drill.expectStored(blob);
  });

  test("G2, G6, G13: the filler is frozen for 9 s: when it wakes it is fenced and follows, and its own clients end right", async () => {
    await begin();
    const blob = world.blob(6, SIZE);
    const reading = drill.readEverywhere(blob);
    const [name, filler] = await drill.inTheMiddle(blob);
    filler.freeze();
    await new Promise((resolve) => setTimeout(resolve, 9_000));
    filler.thaw();
    await drill.expectRight(reading, name);
    expect(filler.log).toContain("this node has lost its leases");
    drill.expectSpent(blob);
    await drill.expectStored(blob);
  });
});
