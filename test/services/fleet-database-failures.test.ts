/** Shows what a fleet does without its database, or with another one: it serves, it goes on, and afterwards it is a fleet again. */
import { afterEach, expect, test } from "vitest";
import { describeWithPrograms } from "../e2e/support/required-programs.ts";
import { FailureDrill } from "../support/services/failure-drill.ts";
import { FleetWorld } from "../support/services/fleet-world.ts";

const MIB = 2 ** 20;
const SIZE = 48 * MIB;
const LINE = { rate: 8 * MIB };
const NAMES = ["a", "b", "c"];

let world: FleetWorld;
let drill: FailureDrill;
afterEach(() => world?.end());

async function begin(hasDatabaseLine = false): Promise<void> {
  world = await FleetWorld.begin(LINE);
  drill = new FailureDrill(world);
  await Promise.all(NAMES.map((name) => world.node(name, { hasDatabaseLine })));
}

/** Nodes whose heartbeats the database has. */
async function live(): Promise<unknown[]> {
  const rows = await world
    .sql("select node from nodes where expires_at > now() order by node")
    .catch(() => []);
  return rows.map(({ node }) => node);
}

/** One more blob costs one transfer: the nodes are one fleet. */
async function expectFleet(seed: number): Promise<void> {
  await expect.poll(live).toEqual(NAMES);
  const blob = world.blob(seed, 9 * MIB);
  const before = world.crossed;
  const counts = await Promise.all([...world.nodes.values()].map((node) => world.clients(blob, node, 2)));
  expect(counts.flat()).toHaveLength(6);
  expect(world.crossed - before).toBeLessThanOrEqual(1.05 * blob.size);
  await drill.expectStored(blob);
}

const linesWith = (log: string, text: string) => log.split("\n").filter((line) => line.includes(text)).length;

describeWithPrograms(["weed"], "a fleet", () => {
  test("without its database serves what it has, brings the rest node by node, says so once, and shares it afterwards", async () => {
    await begin();
    const [stored, running] = [world.blob(1, 9 * MIB), world.blob(2, SIZE)];
    const cold = [3, 4].map((seed) => world.blob(seed, 2 * MIB));
    await Promise.all([drill.node("a"), drill.node("b")].map((node) => world.read(stored, [node])));
    const reading = drill.readEverywhere(running);
    await drill.inTheMiddle(running);
    await world.postgres.stop();
    const stoppedAt = performance.now();
    for (const name of ["a", "b"])
      expect((await world.read(stored, [drill.node(name)])).firstByteMs).toBeLessThan(2_000);
    const nodes = [...world.nodes.values()];
    await Promise.all(cold.flatMap((blob) => nodes.map((node) => world.read(blob, [node]))));
    for (const blob of cold)
      expect(world.fake.bytesSentFor(blob.digest)).toBeGreaterThanOrEqual(3 * blob.size);
    await drill.expectRight(reading);
    // Each node went on alone with what it had not got yet.
    expect(world.fake.bytesSentFor(running.digest)).toBeLessThanOrEqual(3 * SIZE);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, stoppedAt + 10_000 - performance.now())));
    for (const node of nodes) {
      expect(await world.timesAlone(node, "database")).toBeGreaterThan(0);
      // Once, with what to do, and not for each blob.
      expect(linesWith(node.log, "Bring the database of the fleet back")).toBe(1);
      const warnings = node.log.split("\n").filter((line) => line.includes(`"level":"warn"`));
      for (const { digest } of cold) expect(warnings.filter((line) => line.includes(digest))).toEqual([]);
    }
    await world.postgres.start();
    await expectFleet(5);
    for (const blob of [running, ...cold]) await drill.expectStored(blob);
  });

  test("G1, G2, G13: the filler is cut off from the database alone: never a wrong byte, and afterwards it belongs to the fleet again", async () => {
    await begin(true);
    const blob = world.blob(6, SIZE);
    const reading = drill.readEverywhere(blob);
    const [name, filler] = await drill.inTheMiddle(blob);
    const line = world.databaseLines.get(name);
    await line?.away("silent");
    await drill.expectRight(reading);
    expect(filler.log).toContain("this node has lost its leases");
    // A second transfer of what was left, for the one that was cut off.
    expect(world.crossed).toBeLessThanOrEqual(2 * SIZE);
    await drill.expectStored(blob);
    await line?.back();
    await expectFleet(7);
  });

  test("whose database is dropped and made anew, empty, under it makes its tables, learns from the bucket, and goes on", async () => {
    await begin();
    const [before, running] = [world.blob(8, 9 * MIB), world.blob(9, SIZE)];
    const gone = await world.node("gone");
    await world.read(before, [gone]);
    await drill.expectStored(before);
    await gone.stop();
    world.nodes.delete("gone");
    const reading = drill.readEverywhere(running);
    await drill.inTheMiddle(running);
    const name = new URL(world.database).pathname.slice(1);
    await world.postgres.ask(world.postgres.address, `drop database ${name} with (force)`);
    await world.postgres.ask(world.postgres.address, `create database ${name}`);
    await drill.expectRight(reading);
    expect(world.crossed).toBeLessThanOrEqual(3 * SIZE + before.size);
    await drill.expectStored(running);
    await expectFleet(10);
    // What only the bucket has is found there again.
    await expect.poll(() => world.stored(before)).toMatchObject({ digest: before.digest });
    await world.read(before, [drill.node("b")]);
    expect(world.fake.bytesSentFor(before.digest)).toBe(before.size);
  });
});
