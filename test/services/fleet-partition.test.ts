/** Shows what a fleet does when two of its parts cannot reach each other, while both reach all else: each pair in turn. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { FailureDrill } from "../support/services/failure-drill.ts";
import { LONGEST_GAP_MS } from "../support/services/fleet-bounds.ts";
import { FleetWorld } from "../support/services/fleet-world.ts";
import { NodeNetworks, whyNoNetworks } from "../support/services/node-networks.ts";
import { startSeaweedFs } from "../support/services/seaweedfs.ts";

const MIB = 2 ** 20;
/** Longer than a follower waits for a node that it cannot reach. */
const SIZE = 64 * MIB;
const LINE = { rate: 4 * MIB };
const NAMES = ["a", "b", "c"];

type Services = Readonly<Record<"database" | "store" | "upstream", number>>;

/** Nothing tells a slow upstream from one that cannot be reached: only time. */
const SILENT_UPSTREAM_MS = 30_000;

/** The parts of a pair, how much of the blob may cross the line, and how long a client may wait. */
const PAIRS = [
  ["filler", "store", 1.05, LONGEST_GAP_MS],
  ["follower", "store", 1.05, LONGEST_GAP_MS],
  ["follower", "database", 1.05, LONGEST_GAP_MS],
  // What was left is brought a second time, for the one that was cut off.
  ["filler", "database", 2.05, LONGEST_GAP_MS],
  // Another node takes over, with all that is here already.
  ["filler", "upstream", 1.25, SILENT_UPSTREAM_MS],
] as const;

let networks: NodeNetworks;
let world: FleetWorld;
let drill: FailureDrill;

async function begin(): Promise<void> {
  world = await FleetWorld.begin(LINE, startSeaweedFs, { host: networks.host });
  drill = new FailureDrill(world);
  for (const name of NAMES) {
    const place = networks.places.get(name);
    if (place !== undefined) await world.node(name, { hasDatabaseLine: true, place });
  }
}

function servicesOf(name: string): Services {
  const { databaseLines, storePorts, fake } = world;
  const database = databaseLines.get(name)?.place.port ?? 0;
  return { database, store: storePorts.get(name) ?? 0, upstream: Number(new URL(fake.url).port) };
}

/** All are one fleet: a blob that nobody has crosses the line once. */
async function expectFleet(seed: number): Promise<void> {
  const live = "select node from nodes where expires_at > now()";
  await expect.poll(async () => await world.sql(live)).toHaveLength(NAMES.length);
  const blob = world.blob(seed, 9 * MIB);
  await Promise.all(NAMES.map((name) => world.read(blob, [drill.node(name)])));
  expect(world.fake.bytesSentFor(blob.digest)).toBe(blob.size);
}

function define(): void {
  beforeEach(() => {
    networks = NodeNetworks.begin(NAMES);
  });
  afterEach(async () => {
    try {
      await world?.end();
    } finally {
      networks.end();
    }
  });

  test("G12: the filler cannot be reached by one of its followers: that one waits, then fetches for itself, and counts it", async () => {
    await begin();
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
    await expectFleet(2);
  });

  test("G3, G12, G13: a node cannot reach the store, the database or the upstream, be it the filler or a follower: no client notices", async () => {
    await begin();
    for (const [index, [role, service, most, mostMs]] of PAIRS.entries()) {
      const blob = world.blob(10 + index, 24 * MIB);
      const reading = drill.readEverywhere(blob);
      const [name] = await drill.inTheMiddle(blob, blob.size / 8);
      const cutOff = role === "filler" ? name : (NAMES.find((other) => other !== name) ?? "");
      const port = servicesOf(cutOff)[service];
      networks.cutService(cutOff, port);
      await drill.expectRight(reading, undefined, mostMs);
      expect(world.fake.bytesSentFor(blob.digest), `${role} and ${service}`).toBeLessThanOrEqual(
        most * blob.size,
      );
      networks.joinService(cutOff, port);
      await drill.expectStored(blob);
      await expectFleet(20 + index);
    }
  });
}

const why = whyNoNetworks();
const TITLE = "two parts of a fleet that cannot reach each other";
if (why === undefined) describeWith(["ip", "weed"], TITLE, define);
else describe.skip(`${TITLE} (cannot be had here: ${why})`, define);
