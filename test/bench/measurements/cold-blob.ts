/**
 * A cold blob for 1, 8 and 50 clients at once: bytes per second to all of them together, and how often the blob
 * crossed from the upstream. Each run starts with an empty store. With one client, curl to disk is the yardstick.
 */
import type { Bench, Measurement } from "../bench.ts";
import type { Content } from "../material.ts";
import { caches } from "../peers/all.ts";
import type { Contender } from "../peers/contender.ts";
import { takeTurns, type Values } from "../rounds.ts";
import { atMost, type Check, type Row } from "../row.ts";
import { settledBytes } from "../support/settled-bytes.ts";
import { cachesAmong, coldChecks, curls, type Entrant, nameOf } from "./cold-entrants.ts";

type Yardsticks = (blob: Content) => readonly Entrant[];

const CLIENTS = [1, 8, 50];
/** A connection that dies late may cost a few bytes; a second transfer may not. */
const ONCE = 1.005;

export const coldBlob: Measurement = {
  name: "cold-blob",
  measure: (bench) =>
    coldBlobRows(bench, caches(bench), CLIENTS, (blob) => curls(bench, bench.upstream, blob)),
};

/** Two rows for each number of clients: the big blob for one client, the middle one for more. `yardsticks` are one client each. */
export async function coldBlobRows(
  bench: Bench,
  contenders: readonly Contender[],
  clients: readonly number[],
  yardsticks: Yardsticks = () => [],
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const count of clients) rows.push(...(await rowsOf(bench, contenders, count, yardsticks)));
  return rows;
}

async function rowsOf(
  bench: Bench,
  contenders: readonly Contender[],
  clients: number,
  yardsticks: Yardsticks,
): Promise<Row[]> {
  const blob = clients === 1 ? bench.material.big : bench.material.middle;
  const name = nameOf("cold blob", blob, clients);
  const entrants = [
    ...cachesAmong(bench, contenders, bench.upstream, blob, clients),
    ...(clients === 1 ? yardsticks(blob) : []),
  ];
  const result = await takeTurns(bench, name, entrants, async ({ run }) => {
    await bench.upstream.reset();
    const crossed = async () => (await settledBytes(bench.upstream, blob.path)) / blob.size;
    return await run(async () => ({ crossings: await crossed() }));
  });
  const { speed: values = {}, processor = {} } = result;
  const checks = clients === 1 ? coldChecks(values, processor) : [];
  return [
    { name, unit: "GB/s", values, processor, checks },
    {
      name: `${name}: upstream bytes / blob`,
      unit: "x",
      values: result.crossings ?? {},
      checks: [once(result.crossings)],
    },
  ];
}

function once(values: Values | undefined): Check {
  return { ...atMost(values?.granary, ONCE, "x"), wanted: "1.00x" };
}
