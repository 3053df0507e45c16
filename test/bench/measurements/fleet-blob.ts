/**
 * A cold and a warm blob at fleets of 1, 3 and 10 nodes, ten clients at each, beside one node without a fleet: how fast it goes, what crosses the
 * upstream's line, and what the database and the bucket are asked. Each node is a process, and the upstream gives each connection 6 MiB/s.
 */
import type { GranaryProcess } from "../../e2e/support/granary-process.ts";
import { startGranary } from "../../e2e/support/granary-process.ts";
import { FleetWorld, UPSTREAM } from "../../support/services/fleet-world.ts";
import { countRequests } from "../../support/services/seaweedfs.ts";
import type { Bench, Measurement } from "../bench.ts";
import type { Values } from "../rounds.ts";
import { atMost, type Check, type ContenderName, FLEETS, type Row, type Unit } from "../row.ts";
import type { CountingUpstream } from "../support/upstream.ts";

export const FLEET_CAP = 6 * 2 ** 20;
export const CLIENTS_EACH = 10;
const SIZES = { fleet1: 1, fleet3: 3, fleet10: 10 } as const;
/** Statements that come without anybody asking for anything are told apart by this much of idle time. */
const IDLE_MS = 3_000;
const MOST_QUERIES = 20;
const ONCE = 1.02;

type Facts = {
  readonly cold: number;
  readonly firstByteMs: number;
  readonly crossed: number;
  readonly warm: number;
  readonly queries?: number;
  readonly storeRequests?: number;
};

export const fleetBlob: Measurement = {
  name: "fleet-blob",
  measure: async (bench) => {
    const facts: Partial<Record<ContenderName, Facts>> = {};
    const upstream = await bench.startCappedUpstream(FLEET_CAP);
    try {
      facts.granary = await alone(bench, upstream);
      for (const [name, size] of Object.entries(SIZES) as [keyof typeof SIZES, number][])
        facts[name] = await ofFleet(bench, upstream, size);
    } finally {
      await upstream.stop();
    }
    bench.note(`fleets: ${JSON.stringify(facts)}`);
    return rowsOf(bench, facts);
  },
};

/** What a node of the bench knows of `upstream`. */
export function upstreamSettings({ url }: Pick<CountingUpstream, "url">) {
  return { upstreams: { [UPSTREAM]: { endpoints: [url], internal: true } } };
}

async function alone(bench: Bench, upstream: CountingUpstream): Promise<Facts> {
  await using cleanup = new AsyncDisposableStack();
  return await measureNodes(bench, upstream, [await startGranary(cleanup, upstreamSettings(upstream))]);
}

async function ofFleet(bench: Bench, upstream: CountingUpstream, size: number): Promise<Facts> {
  const settings = { shared_preload_libraries: "pg_stat_statements", max_connections: "100" };
  const world = await FleetWorld.begin({}, undefined, { settings });
  try {
    await world.sql("create extension pg_stat_statements");
    const names = Array.from({ length: size }, (_, index) => `node-${index}`);
    const nodes = await Promise.all(
      names.map((name) => world.node(name, { granary: upstreamSettings(upstream) })),
    );
    const isUpkeep = await upkeepOf(world);
    const requests = await countRequests(world.store);
    const facts = await measureNodes(bench, upstream, nodes, () => isStored(world));
    const asked = (await statements(world)).filter(
      ({ id, text }) => !isUpkeep.has(id) && !text.startsWith(TIDYING),
    );
    for (const { calls, text } of asked) bench.note(`${size} nodes: ${calls} x ${text}`);
    return {
      ...facts,
      queries: asked.reduce((sum, { calls }) => sum + calls, 0),
      storeRequests: (await countRequests(world.store)) - requests,
    };
  } finally {
    await world.end();
  }
}

async function measureNodes(
  bench: Bench,
  upstream: CountingUpstream,
  nodes: readonly GranaryProcess[],
  settle: () => Promise<void> = async () => undefined,
): Promise<Facts> {
  const { path, size } = bench.material.middle;
  await upstream.reset();
  const cold = await readAtAll(bench, nodes, path);
  await settle();
  const { bytes } = await upstream.counts(path);
  const warm = await readAtAll(bench, nodes, path);
  return {
    cold: size / cold.seconds / 1e6,
    firstByteMs: cold.firstByteMs,
    crossed: bytes / size,
    warm: (nodes.length * CLIENTS_EACH * size) / warm.seconds / 1e6,
  };
}

/** Until the last client of the last node has all of it; the first byte of whoever waited longest. */
async function readAtAll(bench: Bench, nodes: readonly GranaryProcess[], path: string) {
  const reports = await Promise.all(
    nodes.map((node) =>
      bench.runLoad({ port: node.port(UPSTREAM), path, connections: CLIENTS_EACH, requests: 1 }),
    ),
  );
  return {
    seconds: Math.max(...reports.map(({ seconds }) => seconds)),
    firstByteMs: Math.max(...reports.map(({ firstByteWorstMs }) => firstByteWorstMs)),
  };
}

/** A heartbeat that says what else is to be given back: it comes with every lease that ended. */
const TIDYING = "with tidied as";

/** What follows the last client is part of a blob's price. */
async function isStored(world: FleetWorld): Promise<void> {
  while ((await world.sql("select digest from blobs")).length === 0)
    await new Promise((resolve) => setTimeout(resolve, 50));
}

type Statement = { readonly id: string; readonly text: string; readonly calls: number };

/** Those of the nodes, by their text. */
async function statements(world: FleetWorld): Promise<readonly Statement[]> {
  const rows = await world.sql(
    "select queryid as id, query as text, calls from pg_stat_statements where query not like '%pg_stat_statements%'",
  );
  return rows.map(({ id, text, calls }) => ({
    id: String(id),
    text: String(text).replaceAll(/\s+/g, " ").slice(0, 90),
    calls: Number(calls),
  }));
}

/** Which statements come of themselves; all are counted anew from now on. */
async function upkeepOf(world: FleetWorld): Promise<ReadonlySet<string>> {
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const seen = new Set((await statements(world)).map(({ id }) => id));
  // The question of isStored is this measurement's own.
  await world.sql("select digest from blobs");
  for (const { id, text } of await statements(world)) if (text === "select digest from blobs") seen.add(id);
  await world.sql("select pg_stat_statements_reset()");
  return seen;
}

function rowsOf(bench: Bench, facts: Partial<Record<ContenderName, Facts>>): Row[] {
  const blob = `blob (${bench.material.middle.size / 2 ** 20} MiB), ${CLIENTS_EACH} clients at each node`;
  const row = (
    name: string,
    unit: Unit,
    value: (of: Facts) => number | undefined,
    checks: (of: Facts) => Check[],
  ) => {
    const values: Values = {};
    for (const [contender, of] of Object.entries(facts) as [ContenderName, Facts][]) {
      const found = value(of);
      if (found !== undefined) values[contender] = found;
    }
    const largest = facts.fleet10;
    return {
      name: `${name} ${blob}`,
      unit,
      contenders: FLEETS,
      values,
      checks: largest ? checks(largest) : [],
    };
  };
  return [
    row(
      "cold",
      "MB/s",
      ({ cold }) => cold,
      ({ cold }) => [ratio(cold, facts.granary?.cold, 0.9)],
    ),
    row(
      "first byte of a cold",
      "ms",
      ({ firstByteMs }) => firstByteMs,
      () => [],
    ),
    row(
      "upstream bytes of a cold",
      "x",
      ({ crossed }) => crossed,
      ({ crossed }) => [{ ...atMost(crossed, ONCE, "x"), wanted: "1.00x" }],
    ),
    row(
      "queries for a cold",
      "queries",
      ({ queries }) => queries,
      ({ queries }) => [
        {
          ...atMost(queries === undefined ? undefined : queries / SIZES.fleet10, MOST_QUERIES, "queries"),
          wanted: `<= ${MOST_QUERIES} for each node`,
        },
      ],
    ),
    row(
      "requests to the bucket for a cold",
      "requests",
      ({ storeRequests }) => storeRequests,
      () => [],
    ),
    row(
      "warm",
      "MB/s",
      ({ warm }) => warm,
      ({ warm }) => [ratio(warm, facts.granary?.warm, 0.5)],
    ),
  ];
}

function ratio(value: number, other: number | undefined, least: number): Check {
  const times = other === undefined ? undefined : value / other;
  return {
    wanted: `>= ${least}x one node`,
    value: times,
    valueUnit: "x",
    reached: times === undefined ? undefined : times >= least,
  };
}
