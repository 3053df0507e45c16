/** Owns that contents, rules and sightings of a fleet keep the contracts of those of one node. */
import { expect, onTestFinished, test } from "vitest";
import { openFleetDatabase } from "../../src/fleet/postgres/connection.ts";
import { fleetRemoval } from "../../src/fleet/postgres/contents/content-removal.ts";
import { fleetContents } from "../../src/fleet/postgres/contents/content-rows.ts";
import { recordManifestUses } from "../../src/fleet/postgres/contents/manifest-uses.ts";
import { fleetRules } from "../../src/fleet/postgres/contents/rule-rows.ts";
import { fleetSightings } from "../../src/fleet/postgres/contents/sighting-rows.ts";
import { postgresKnowledge } from "../../src/fleet/postgres/knowledge/postgres-knowledge.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { contentsContract } from "../contract/contents-contract.ts";
import { rulesContract } from "../contract/rules-contract.ts";
import { sightingsContract } from "../contract/sightings-contract.ts";
import { serverOfFile } from "../support/services/server-of-file.ts";

const server = serverOfFile();

async function opened() {
  const address = await server.current.createDatabase();
  const database = await openFleetDatabase(address, { log: silentLog, clock: systemClock });
  onTestFinished(() => database.close());
  return { database, knowledge: postgresKnowledge(database) };
}

rulesContract("PostgreSQL", async () => fleetRules((await opened()).database));

sightingsContract("PostgreSQL", async () => {
  const { database, knowledge } = await opened();
  return { sightings: fleetSightings(database), knowledge };
});

contentsContract("PostgreSQL", async () => {
  const { database, knowledge } = await opened();
  return {
    knowledge,
    contents: { ...fleetContents(database), ...fleetRemoval(database) },
    recordBlob: async ({ digest, size, usedAt }) => {
      await database.query(
        `insert into blobs (digest, size, object_key, epoch, used_at)
         values ($1, $2, $1, 1, to_timestamp($3::float8 / 1000))`,
        [digest, size, usedAt],
      );
    },
    useManifests: (uses) => recordManifestUses(database, uses),
  };
});

test("of all sightings only the newest are kept, and those that passed go first", async () => {
  const { database } = await opened();
  const sightings = fleetSightings(database);
  await database.query(
    `insert into sightings select 'docker.io', 'a', 't' || n, 'sha256:' || lpad(to_hex(n), 64, '0'), 'a/b', 1, n, n,
       case when n % 2 = 0 then 'passed' else 'held' end from generate_series(1, 20000) as n`,
  );
  const facts = { mediaType: "a/b", size: 1, firstSeenAt: 1, lastSeenAt: 30_000, state: "held" } as const;
  for (const tag of ["x", "y"])
    await sightings.record({
      ...{ upstream: "docker.io", repository: "a", tag, digest: digestOf(Buffer.from(tag)) },
      ...facts,
    });
  const gone =
    "select n from generate_series(1, 6) as n where not exists (select from sightings where tag = 't' || n)";
  expect(await database.query(gone)).toEqual([{ n: 2 }, { n: 4 }]);
  expect(await database.query("select count(*) as count from sightings")).toEqual([{ count: 20_000 }]);
});
