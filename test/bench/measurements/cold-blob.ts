/**
 * A cold blob for 1, 8 and 50 clients at once: bytes per second to all of them together, and how often the blob
 * crossed from the upstream. Each run starts with an empty store. With one client, curl to disk is the yardstick.
 */
import { join } from "node:path";
import { type Bench, type Measurement, withContender } from "../bench.ts";
import type { Content } from "../material.ts";
import type { Contender } from "../peers/contender.ts";
import { granary } from "../peers/granary.ts";
import { registryProxy } from "../peers/registry-proxy.ts";
import { presentOf, takeTurns, type Values } from "../rounds.ts";
import { atLeastTimes, atMost, type Check, type Row } from "../row.ts";
import { fetchToDisk } from "../support/curl.ts";
import { settledBytes } from "../support/settled-bytes.ts";

const CLIENTS = [1, 8, 50];
/** A connection that dies late may cost a few bytes; a second transfer may not. */
const ONCE = 1.005;

type Entrant = {
  readonly name: Contender["name"];
  readonly run: () => Promise<{ speed: number; crossings: number }>;
};

export const coldBlob: Measurement = {
  name: "cold-blob",
  measure: async (bench) => {
    const rows: Row[] = [];
    for (const clients of CLIENTS) {
      const blob = clients === 1 ? bench.material.big : bench.material.middle;
      const label = `cold blob (${blob.size / 2 ** 20} MiB), ${clients} client${clients === 1 ? "" : "s"}`;
      const entrants = entrantsFor(bench, clients, blob);
      const rounds = clients === 50 ? 1 : bench.rounds;
      const result = await takeTurns(bench, label, entrants, (entrant) => entrant.run(), rounds);
      rows.push({
        name: label,
        unit: "GB/s",
        values: result.speed ?? {},
        checks: speedChecks(clients, result.speed ?? {}),
      });
      rows.push({
        name: `${label}: upstream bytes / blob`,
        unit: "x",
        values: result.crossings ?? {},
        checks: [once(result.crossings)],
      });
    }
    return rows;
  },
};

function entrantsFor(bench: Bench, clients: number, blob: Content): Entrant[] {
  const entrants: Entrant[] = presentOf(bench, [granary(bench.granaryLauncher), registryProxy]).map(
    (contender) => ({
      name: contender.name,
      run: () => throughContender(bench, contender, clients, blob),
    }),
  );
  if (clients === 1) entrants.push({ name: "direct", run: () => throughCurl(bench, blob) });
  return entrants;
}

async function throughContender(bench: Bench, contender: Contender, connections: number, blob: Content) {
  return withContender(bench, contender, bench.upstream.port, async ({ port }) => {
    await bench.upstream.reset();
    const report = await bench.runLoad({ port, path: blob.path, connections, requests: 1 });
    const upstreamBytes = await settledBytes(bench.upstream, blob.path);
    return { speed: report.bytes / report.seconds / 1e9, crossings: upstreamBytes / blob.size };
  });
}

async function throughCurl(bench: Bench, blob: Content) {
  const target = join(bench.directory, "curl-target");
  const seconds = await fetchToDisk(`http://127.0.0.1:${bench.upstream.port}${blob.path}`, target);
  return { speed: blob.size / seconds / 1e9, crossings: 1 };
}

function speedChecks(clients: number, values: Values): Check[] {
  if (clients !== 1) return [];
  return [atLeastTimes(values, "proxy", 1), atLeastTimes(values, "direct", 0.6, "curl to disk")];
}

function once(values: Values | undefined): Check {
  return { ...atMost(values?.granary, ONCE, "x"), wanted: "1.00x" };
}
