/** Owns that what the bucket holds is summed up by the database, what goes soon apart, and that a slow sum is no outage. */
import { expect, onTestFinished, test } from "vitest";
import { bucketUse } from "../../src/fleet/postgres/bucket-use.ts";
import { openFleetDatabase } from "../../src/fleet/postgres/connection.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { serverOfFile } from "../support/services/server-of-file.ts";

const server = serverOfFile();

async function opened() {
  const address = await server.current.createDatabase();
  const open = async () => {
    const database = await openFleetDatabase(address, { log: silentLog, clock: systemClock });
    onTestFinished(() => database.close());
    return database;
  };
  return { database: await open(), other: await open() };
}

test("it counts objects and bytes, and those that are doomed apart", async () => {
  const { database } = await opened();
  expect(await bucketUse(database)).toEqual({ objects: 0, bytes: 0, doomedObjects: 0, doomedBytes: 0 });
  await database.query(
    `insert into blobs (digest, size, object_key, epoch, doomed_at)
     select 'd' || n, 5000000000000, 'k' || n, n, case when n = 1 then now() end from generate_series(1, 4) as n`,
  );
  const use = { objects: 3, bytes: 15e12, doomedObjects: 1, doomedBytes: 5e12 };
  expect(await bucketUse(database)).toEqual(use);
});

test("a sum that takes too long is given up, and the database counts as there", async () => {
  const { database, other } = await opened();
  await other.inTransaction(async (query) => {
    await query("lock table blobs in access exclusive mode");
    await expect(bucketUse(database)).rejects.toMatchObject({ code: "fleet-unavailable" });
    expect(database.isAnswering).toBe(true);
    expect(await database.query<{ one: number }>("select 1 as one")).toEqual([{ one: 1 }]);
  });
  expect(await bucketUse(database)).toMatchObject({ objects: 0 });
});
