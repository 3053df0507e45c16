/** Owns how the traffic of several nodes is added up, name by name, or to one row for each node. Pure. */
import { inOrder, sumOf } from "../../records/named-sums.ts";
import type { TrafficTotals } from "../../records/traffic.ts";
import type { FleetSums, FleetTrafficAsk } from "./fleet-records.ts";
import type { NodeTold } from "./merge-events.ts";
import type { ToldTraffic } from "./own-records.ts";

type All = readonly NodeTold<ToldTraffic>[];

export function rowsOf(all: All, by: FleetTrafficAsk["by"]): readonly FleetSums[] {
  return inOrder(by === "node" ? byNode(all) : byName(all), by);
}

function byNode(all: All): FleetSums[] {
  return all.map(({ node, told }) => ({ name: node, ...sumOf(told.rows) }));
}

function byName(all: All): FleetSums[] {
  const named = Map.groupBy(
    all.flatMap(({ node, told }) => told.rows.map((row) => ({ node, row }))),
    ({ row }) => row.name,
  );
  return [...named].map(([name, parts]) => ({
    name,
    ...sumOf(parts.map(({ row }) => row)),
    nodes: [...new Set(parts.map(({ node }) => node))],
  }));
}

export function totalsOf(all: All): TrafficTotals {
  const [since] = all.flatMap(({ told }) => told.all.since ?? []).sort();
  return {
    today: sumOf(all.map(({ told }) => told.today)),
    all: { ...sumOf(all.map(({ told }) => told.all)), since },
  };
}
