/** Shows that two nodes of a fleet that cannot reach each other, while both reach all else, serve their clients all the same. */
import { afterEach, describe, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { FailureDrill } from "../support/services/failure-drill.ts";
import { FleetWorld } from "../support/services/fleet-world.ts";
import { NodeNetworks, whyNoNetworks } from "../support/services/node-networks.ts";
import { startSeaweedFs } from "../support/services/seaweedfs.ts";

const MIB = 2 ** 20;
/** Longer than a follower waits for a node that it cannot reach. */
const SIZE = 64 * MIB;
const LINE = { rate: 4 * MIB };
const NAMES = ["a", "b", "c"];

let world: FleetWorld | undefined;
let networks: NodeNetworks | undefined;
afterEach(async () => {
  try {
    await world?.end();
  } finally {
    networks?.end();
  }
});

function define(): void {
  test("G12: the filler cannot be reached by one of its followers: that one waits, then fetches for itself, and counts it", async () => {
    networks = NodeNetworks.begin(NAMES);
    world = await FleetWorld.begin(LINE, startSeaweedFs, { host: networks.host });
    const drill = new FailureDrill(world);
    for (const name of NAMES) {
      const place = networks.places.get(name);
      if (place !== undefined) await world.node(name, { hasDatabaseLine: true, place });
    }
    const blob = world.blob(1, SIZE);
    const reading = drill.readEverywhere(blob);
    const [name] = await drill.inTheMiddle(blob, SIZE / 8);
    const [cutOff = "", friend = ""] = NAMES.filter((other) => other !== name);
    networks.cut(name, cutOff);
    await drill.expectRight(reading);
    expect(await world.timesAlone(drill.node(cutOff), "holder")).toBeGreaterThan(0);
    for (const other of [name, friend]) expect(await world.timesAlone(drill.node(other), "holder")).toBe(0);
    // One transfer for all, and one for whoever was cut off.
    expect(world.crossed).toBeLessThanOrEqual(2.05 * SIZE);
    await drill.expectStored(blob);
    // What they cannot get from each other they get from the bucket, and together again they are one fleet.
    networks.join(name, cutOff);
    const next = world.blob(2, 9 * MIB);
    await Promise.all(NAMES.map((each) => world?.read(next, [drill.node(each)])));
    expect(world.fake.bytesSentFor(next.digest)).toBe(9 * MIB);
  });
}

const why = whyNoNetworks();
const TITLE = "two nodes that cannot reach each other";
if (why === undefined) describeWith(["ip", "weed"], TITLE, define);
else describe.skip(`${TITLE} (cannot be had here: ${why})`, define);
