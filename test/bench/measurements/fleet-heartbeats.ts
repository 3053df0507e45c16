/**
 * What the heartbeats of a fleet cost one PostgreSQL: how late the slowest of 200 nodes' are, each with a lease and looking for a blob ten times a
 * second; and how many heartbeats and look-ups it takes at most. The nodes are in this process, and the server does not wait for its disk.
 */
import type { Beat, HeardBeat, LeaseRows } from "../../../src/fleet/leases/lease-rows.ts";
import { NodeFleet } from "../../../src/fleet/leases/node-fleet.ts";
import { openFleetDatabase } from "../../../src/fleet/postgres/connection.ts";
import type { FleetDatabase } from "../../../src/fleet/postgres/fleet-database.ts";
import { PostgresLeaseRows } from "../../../src/fleet/postgres/lease-rows.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { regularly } from "../../../src/waiting/regularly.ts";
import { TestPostgres } from "../../support/services/postgres.ts";
import type { Bench, Measurement } from "../bench.ts";
import { ALONE, atMost, type Row, type Unit } from "../row.ts";

const NODES = 200;
const CONNECTIONS = 20;
const LOOK_MS = 100;
/** Of its lifetime of 4 s, a heartbeat that takes longer than this would use up what others need to be late. */
const MOST_MS = 500;

export const fleetHeartbeats: Measurement = {
  name: "fleet-heartbeats",
  measure: async (bench) => {
    const server = await TestPostgres.begin();
    try {
      const options = { log: silentLog, clock: systemClock, mostConnections: CONNECTIONS };
      const database = await openFleetDatabase(await server.createDatabase(), options);
      const rows = [...(await measureFleet(bench, database)), ...(await measureMost(bench, database))];
      await database.close();
      return rows;
    } finally {
      await server.end();
    }
  },
};

/** Over a database that many share. */
class TimedRows extends PostgresLeaseRows {
  readonly #beats: number[];

  constructor(database: FleetDatabase, beats: number[]) {
    super(database);
    this.#beats = beats;
  }

  override beat(beat: Beat): Promise<HeardBeat> {
    return time(this.#beats, () => super.beat(beat));
  }

  override async close(): Promise<void> {}
}

async function measureFleet(bench: Bench, database: FleetDatabase): Promise<Row[]> {
  const beats: number[] = [];
  const looks: number[] = [];
  const timed = new TimedRows(database, beats);
  const nodes = Array.from({ length: NODES }, (_, index) => nodeOf(`node-${index}`, timed));
  await Promise.all(nodes.map((node) => node.start()));
  const leases = await Promise.all(nodes.map((node) => node.acquire(`key of ${node.node}`)));
  beats.length = 0;
  const stops = nodes.map((node, index) => {
    const digest = digestOf(Buffer.from(`${index}`));
    return regularly(systemClock, LOOK_MS, async () => {
      await time(looks, () => node.resolve(digest, `key of node-${(index + 1) % NODES}`));
    });
  });
  await new Promise((resolve) => setTimeout(resolve, bench.runSeconds * 1000));
  await Promise.all(stops.map((stop) => stop()));
  const lost = leases.filter((lease) => lease?.isMine !== true).length;
  await Promise.all(nodes.map((node) => node.close()));
  const perSecond = (beats.length + looks.length) / bench.runSeconds;
  bench.note(`${NODES} nodes: ${perSecond.toFixed(0)} questions a second, ${lost} leases lost`);
  return [
    rowOf(`${NODES} nodes: a heartbeat, median`, "ms", quantile(beats, 0.5)),
    rowOf(`${NODES} nodes: a heartbeat, the slowest of a hundred`, "ms", quantile(beats, 0.99), MOST_MS),
    rowOf(`${NODES} nodes: a look-up, the slowest of a hundred`, "ms", quantile(looks, 0.99), MOST_MS),
  ];
}

async function measureMost(bench: Bench, database: FleetDatabase): Promise<Row[]> {
  const rows = new PostgresLeaseRows(database);
  const about = {
    address: "http://node:1",
    zone: "a",
    version: "1.0.0",
    told: {},
    tidying: undefined,
    isRenewal: false,
  };
  const digest = digestOf(Buffer.from("absent"));
  const beats = await asManyAsGo(bench, (worker, turn) =>
    rows.beat({ ...about, node: `${worker}-${turn % 50}`, incarnation: "1", lifetimeMs: 4_000 }),
  );
  const looks = await asManyAsGo(bench, (worker) => rows.resolve(digest, `${worker}`));
  return [
    rowOf("heartbeats, as many as go", "requests/s", beats),
    rowOf("look-ups of blobs, as many as go", "requests/s", looks),
  ];
}

/** A second, by as many at once as there are connections. */
async function asManyAsGo(bench: Bench, ask: (worker: number, turn: number) => Promise<unknown>) {
  let count = 0;
  const until = performance.now() + bench.runSeconds * 1000;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, worker) => {
      for (let turn = 0; performance.now() < until; turn++) {
        await ask(worker, turn);
        count += 1;
      }
    }),
  );
  return count / bench.runSeconds;
}

function nodeOf(node: string, rows: LeaseRows): NodeFleet {
  const about = { address: `http://${node}:1`, zone: "a", version: "1.0.0" };
  return new NodeFleet({ ...about, node, rows, clock: systemClock, log: silentLog });
}

async function time<T>(into: number[], work: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  try {
    return await work();
  } finally {
    into.push(performance.now() - begun);
  }
}

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN;
}

function rowOf(name: string, unit: Unit, value: number, most?: number): Row {
  const checks = most === undefined ? [] : [atMost(value, most, "ms")];
  return { name, unit, contenders: ALONE, values: { granary: value }, checks };
}
