/**
 * What it costs a fleet of three, with ten clients at each node, that the node which brings a blob dies in the middle, or stands still for nine seconds
 * and wakes: bytes at the upstream, and how long nobody brings anything. Clients come back by range at another node, and check what they got.
 */
import { FleetWorld, UPSTREAM } from "../../support/services/fleet-world.ts";
import { readCrowd } from "../../support/services/read-crowd.ts";
import type { Bench, Measurement } from "../bench.ts";
import { ALONE, atMost, type Row } from "../row.ts";
import type { CountingUpstream } from "../support/upstream.ts";
import { CLIENTS_EACH, FLEET_CAP, upstreamSettings } from "./fleet-blob.ts";

const NODES = ["a", "b", "c"];
const STOPPED_MS = 9_000;
const MOST_MS = 180_000;
const LOOK_MS = 50;
/** The lifetime of a lease, and five seconds (G12). */
const MOST_TAKEOVER_S = 9;
/** Lanes and uploaders, a part each (G4). */
const LOST_PARTS = 6 + 4;
const PART = 8 * 2 ** 20;

type Loss = "kill -9" | "stopped for 9 s";
type World = { readonly fleet: FleetWorld; readonly upstream: CountingUpstream };

export const fleetLoss: Measurement = {
  name: "fleet-loss",
  measure: async (bench) => [
    ...(await rowsOf(bench, "kill -9")),
    ...(await rowsOf(bench, "stopped for 9 s")),
  ],
};

async function rowsOf(bench: Bench, loss: Loss): Promise<Row[]> {
  const { size } = bench.material.middle;
  const { crossed, takeoverSeconds, gapSeconds, returns } = await measure(bench, loss);
  bench.note(`${loss}: ${JSON.stringify({ crossed, takeoverSeconds, gapSeconds, returns })}`);
  const name = `3 nodes of ${CLIENTS_EACH} clients, blob of ${size / 2 ** 20} MiB, who brings it ${loss === "kill -9" ? "killed" : loss}`;
  const row = (what: string, unit: Row["unit"], value: number, most: number): Row => ({
    ...{ name: `${name}: ${what}`, unit, contenders: ALONE, values: { granary: value } },
    checks: [atMost(value, most, unit)],
  });
  return [
    row("upstream bytes / blob", "x", crossed, 1 + (LOST_PARTS * PART) / size),
    row("until another node brings it", "s", takeoverSeconds, MOST_TAKEOVER_S),
    row(
      "longest wait of a client for its next byte",
      "s",
      gapSeconds,
      loss === "kill -9" ? MOST_TAKEOVER_S : 2 * MOST_TAKEOVER_S,
    ),
  ];
}

async function measure(bench: Bench, loss: Loss) {
  const upstream = await bench.startCappedUpstream(FLEET_CAP);
  const fleet = await FleetWorld.begin();
  try {
    for (const name of NODES) await fleet.node(name, { granary: upstreamSettings(upstream) });
    const [reports, takeoverSeconds] = await Promise.all([
      readAll(bench, fleet),
      lose(bench, { fleet, upstream }, loss),
    ]);
    const { path, size } = bench.material.middle;
    const { bytes } = await upstream.counts(path);
    return {
      crossed: bytes / size,
      takeoverSeconds,
      gapSeconds: Math.max(...reports.map(({ longestGapMs }) => longestGapMs)) / 1000,
      returns: reports.reduce((sum, { returns }) => sum + returns, 0),
    };
  } finally {
    await fleet.end();
    await upstream.stop();
  }
}

/** A process of readers for each node; who has lost its node goes on at the next. */
async function readAll(bench: Bench, { nodes }: FleetWorld) {
  const { path, digest, size } = bench.material.middle;
  const urls = [...nodes.values()].map((node) => `${node.url(UPSTREAM)}${path}`);
  const ask = { digest, size, readers: CLIENTS_EACH, isChecked: true, mostMs: MOST_MS };
  const crowds = urls.map((_, index) =>
    readCrowd({ ...ask, urls: [...urls.slice(index), ...urls.slice(0, index)] }),
  );
  return (await Promise.all(crowds)).flat();
}

/** In the middle of the blob; seconds until the database names another node, or the blob is stored. */
async function lose(bench: Bench, { fleet, upstream }: World, loss: Loss): Promise<number> {
  const { path, size } = bench.material.middle;
  await until(async () => (await upstream.counts(path)).bytes > size / 2);
  const [held] = await fleet.sql("select node from leases where key like 'blob%'");
  const node = fleet.nodes.get(String(held?.node));
  if (node === undefined) throw new Error("nobody brings the blob");
  const begun = performance.now();
  if (loss === "kill -9") await node.kill();
  else node.freeze();
  await until(async () => {
    const [now] = await fleet.sql("select node from leases where key like 'blob%'");
    return now?.node !== held?.node;
  });
  const seconds = (performance.now() - begun) / 1000;
  if (loss !== "kill -9") {
    await new Promise((resolve) => setTimeout(resolve, STOPPED_MS - seconds * 1000));
    node.thaw();
  }
  return seconds;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
