/** Owns how a fleet's database gets its tables: once, whoever comes first, and never against a newer Granary's will. */
import { expect, onTestFinished, test } from "vitest";
import { openFleetDatabase } from "../../src/fleet/postgres/connection.ts";
import type { FleetDatabase } from "../../src/fleet/postgres/fleet-database.ts";
import { FLEET_MIGRATIONS, type Migration, migrate } from "../../src/fleet/postgres/migrations.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { serverOfFile } from "../support/services/server-of-file.ts";

const server = serverOfFile();

async function opened(address: string): Promise<FleetDatabase> {
  const database = await openFleetDatabase(address, { log: silentLog, clock: systemClock });
  onTestFinished(() => database.close());
  return database;
}

function migrated(database: FleetDatabase, migrations: readonly Migration[]): Promise<void> {
  const { query } = database;
  const inLongTransaction = database.inTransaction.bind(database);
  return migrate({ host: "here", query, inLongTransaction }, migrations);
}

const VERSION = "select version, oldest from granary_version";

test("many nodes that start at the same time make the tables once", async () => {
  const address = await server.current.createDatabase();
  const nodes = await Promise.all(Array.from({ length: 8 }, () => opened(address)));
  for (const node of nodes) {
    expect(node.isAnswering).toBe(true);
    expect(await node.query(VERSION)).toEqual([{ version: FLEET_MIGRATIONS.length, oldest: 1 }]);
  }
});

test("a newer version brings its tables up to date, keeps the rows, and is done once", async () => {
  const database = await opened(await server.current.createDatabase());
  await database.query("insert into leaving values ('sha256:x')");
  const [before] = await database.query("select identity from granary_version");
  const next = [
    ...FLEET_MIGRATIONS,
    { statements: ["alter table leaving add column since integer"], oldest: 1 },
  ];
  await Promise.all([migrated(database, next), migrated(database, next)]);
  expect(await database.query("select * from leaving")).toEqual([{ digest: "sha256:x", since: null }]);
  expect(await database.query(VERSION)).toEqual([{ version: next.length, oldest: 1 }]);
  expect(await database.query("select identity from granary_version")).toEqual([before]);
});

test("a migration that fails leaves everything as it was", async () => {
  const database = await opened(await server.current.createDatabase());
  const statements = ["drop table leaving", "create table leaves"];
  await expect(migrated(database, [...FLEET_MIGRATIONS, { statements, oldest: 1 }])).rejects.toBeDefined();
  expect(await database.query("select * from leaving")).toEqual([]);
  expect(await database.query(VERSION)).toEqual([{ version: FLEET_MIGRATIONS.length, oldest: 1 }]);
});

test("an older node goes on beside a newer one that says so, and is refused with what to do by one that does not", async () => {
  const address = await server.current.createDatabase();
  const database = await opened(address);
  const version = FLEET_MIGRATIONS.length + 1;
  await database.query("update granary_version set version = $1, oldest = $2", [version, version - 1]);
  expect((await opened(address)).isAnswering).toBe(true);
  await database.query("update granary_version set oldest = $1", [version]);
  await expect(opened(address)).rejects.toMatchObject({
    code: "config-invalid",
    message: `This database was set up by a newer Granary (version ${version}); update this node.`,
  });
});
