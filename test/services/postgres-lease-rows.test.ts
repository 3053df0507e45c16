/** Shows that leases in PostgreSQL keep their contract, and what only a database that many ask at once can show. */
import { expect, onTestFinished, test } from "vitest";
import { openFleetDatabase } from "../../src/fleet/postgres/connection.ts";
import type { FleetDatabase } from "../../src/fleet/postgres/fleet-database.ts";
import { PostgresLeaseRows } from "../../src/fleet/postgres/lease-rows.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { leaseRowsContract } from "../contract/lease-rows-contract.ts";
import { serverOfFile } from "../support/services/server-of-file.ts";

const server = serverOfFile();

async function opened(address: string, mostConnections = 4): Promise<FleetDatabase> {
  const database = await openFleetDatabase(address, { log: silentLog, clock: systemClock, mostConnections });
  onTestFinished(() => database.close());
  return database;
}

leaseRowsContract("PostgreSQL", async () => {
  const database = await opened(await server.current.createDatabase());
  return {
    rows: new PostgresLeaseRows(database),
    async expire() {
      await database.query("select pg_sleep(1.6)");
    },
    async doom() {
      await database.query("update blobs set doomed_at = now()");
    },
    async isDoomed() {
      return (await database.query("select from blobs where doomed_at is not null")).length > 0;
    },
  };
});

const beatOf = (node: string, lifetimeMs = 600_000) => ({
  ...{ node, incarnation: "1", address: node, version: "1", told: {} },
  ...{ lifetimeMs, zone: undefined, tidying: undefined, isRenewal: false },
});

test("G1: of many who find the same dead holder at once one gets the lease, each time, and what was left", async () => {
  const database = await opened(await server.current.createDatabase(), 12);
  const rows = new PostgresLeaseRows(database);
  const nodes = Array.from({ length: 12 }, (_, index) => ({ node: `n${index}`, incarnation: "1" }));
  for (const { node } of nodes) await rows.beat(beatOf(node));
  for (let round = 0; round < 100; round++) {
    await database.query(
      `insert into leases (key, node, incarnation, epoch, object_key, upload_id) values ($1, 'dead', '0', -1, 'o', 'u')`,
      [`k${round}`],
    );
    const given = await Promise.all(nodes.map((by) => rows.acquire(`k${round}`, by)));
    const [lease, ...others] = given.filter((each) => each !== undefined);
    expect(others).toEqual([]);
    expect(lease?.left).toEqual({
      node: expect.any(String),
      epoch: -1,
      upload: { objectKey: "o", uploadId: "u" },
    });
  }
});

test("epochs that are raised by many at once, while leases are given, are given once", async () => {
  const rows = new PostgresLeaseRows(await opened(await server.current.createDatabase(), 12));
  const by = { node: "a", incarnation: "1" };
  await rows.beat(beatOf("a"));
  await rows.raiseEpochs(0);
  const epochs: number[] = [];
  let above = 0;
  await Promise.all(
    Array.from({ length: 8 }, async (_, worker) => {
      for (let round = 0; round < 40; round++) {
        const given = await rows.acquire(`${worker} ${round}`, by);
        if (given !== undefined) epochs.push(given.epoch);
        above = Math.max(above, given?.epoch ?? 0) + (round % 5 === 0 ? 250_000 : 3);
        if (worker % 2 === 0) await rows.raiseEpochs(above);
      }
    }),
  );
  expect(epochs).toHaveLength(320);
  expect(new Set(epochs).size).toBe(320);
});

test("an object that is asked for all the time is touched once a minute", async () => {
  const database = await opened(await server.current.createDatabase());
  const rows = new PostgresLeaseRows(database);
  const digest = parseDigest(`sha256:${"b".repeat(64)}`);
  const place = async () =>
    (await database.query<{ ctid: string }>("select ctid::text as ctid from blobs"))[0]?.ctid;
  await database.query("insert into blobs (digest, size, object_key, epoch) values ($1, 1, 'o', 1)", [
    digest,
  ]);
  const before = await place();
  await rows.resolve(digest, "k");
  expect(await place()).toBe(before);
  await database.query("update blobs set used_at = now() - interval '61 seconds'");
  await rows.resolve(digest, "k");
  const [row] = await database.query<{ isFresh: boolean }>(
    `select used_at > now() - interval '10 seconds' as "isFresh" from blobs`,
  );
  expect(row?.isFresh).toBe(true);
});

test("nodes that died long ago go, with what they had", async () => {
  const database = await opened(await server.current.createDatabase());
  const rows = new PostgresLeaseRows(database);
  await rows.beat(beatOf("dead", 1));
  await rows.beat(beatOf("alive"));
  await database.query(`insert into leases (key, node, incarnation, epoch, acquired_at) values
    ('old', 'dead', '1', 1, now() - interval '25 hours'), ('new', 'dead', '1', 2, now()),
    ('long', 'alive', '1', 3, now() - interval '25 hours')`);
  await database.query("update nodes set beaten_at = now() - interval '25 hours' where node = 'dead'");
  await rows.clearOld();
  const keys = await database.query<{ key: string }>("select key from leases order by key");
  expect(keys.map(({ key }) => key)).toEqual(["long", "new"]);
  const nodes = await database.query<{ node: string }>("select node from nodes");
  expect(nodes.map(({ node }) => node)).toEqual(["alive"]);
});
