/**
 * A node of a fleet as a process of its own, for tests that kill and stop it: takes the lease KEY as often as it can get it, and says in lines of
 * JSON what it has, at most one line for each change. Arguments: address of the database, name, key.
 */
import { setTimeout as pause } from "node:timers/promises";
import { isGranaryError } from "../../../src/errors.ts";
import { NodeFleet } from "../../../src/fleet/leases/node-fleet.ts";
import { openFleetDatabase } from "../../../src/fleet/postgres/connection.ts";
import { PostgresLeaseRows } from "../../../src/fleet/postgres/lease-rows.ts";
import { foregroundClock } from "../../../src/observe/clock.ts";
import { createLog } from "../../../src/observe/log.ts";
import { parseDigest } from "../../../src/oci/digest.ts";

const [address = "", node = "", key = ""] = process.argv.slice(2);
const OBJECT = { digest: parseDigest(`sha256:${"c".repeat(64)}`), size: 1, objectKey: `o/${node}` };

const clock = foregroundClock;
const log = createLog({ level: "warn", format: "json" }, process.stderr);
const database = await openFleetDatabase(address, { log, clock });
const fleet = new NodeFleet({
  ...{ node, clock, log, rows: new PostgresLeaseRows(database) },
  ...{ address: `http://${node}`, zone: undefined, version: "1" },
});
await fleet.start();

function say(line: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

for (;;) {
  const lease = await fleet.acquire(key).catch((error: unknown) => {
    if (isGranaryError(error, "fleet-unavailable")) return undefined;
    throw error;
  });
  if (lease === undefined) {
    await pause(50);
    continue;
  }
  const { epoch, left } = lease;
  say({ got: epoch, left: left?.epoch });
  await lease.noteUpload({ objectKey: OBJECT.objectKey, uploadId: node });
  say({ noted: epoch });
  // By the clock alone, as code would that acts before any timer has run.
  while (lease.isMine) await pause(5);
  say({ lost: epoch, isAborted: lease.lost.aborted });
  const isKnown = await lease.commit(OBJECT).catch(() => "unknown");
  say({ committed: epoch, isKnown });
}
