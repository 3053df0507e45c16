/**
 * A thousand clients of one warm blob of 8 MiB, each a few times: how fast they get it together, and how long the last of them wait for it, which
 * counts as much. Beside nginx in the same rounds.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench, Measurement } from "../bench.ts";
import { type Content, contentOf } from "../material.ts";
import { nginx } from "../peers/nginx.ts";
import { takeTurns, type Values } from "../rounds.ts";
import { atLeastTimes, atMost, atMostTimes, type Row, SERVERS } from "../row.ts";
import { peakMemory } from "../support/peak-memory.ts";
import { watchedGranary } from "../support/watched.ts";
import { type WarmContender, withWarm } from "./with-warm.ts";

const CLIENTS = 1_000;
const SIZE = 8 * 2 ** 20;
const TIMES_EACH = 2;
const MOST_MB = 200;

export const scaleClients: Measurement = {
  name: "scale-clients",
  measure: async (bench) => {
    const blob = firstOf(bench, SIZE);
    const upstream = await bench.startUpstreamOf([blob]);
    const material = { ...bench.material, entries: [...bench.material.entries, blob] };
    const label = `${CLIENTS.toLocaleString("en")} clients of a warm blob (${SIZE / 2 ** 20} MiB)`;
    try {
      const own = { ...bench, material, upstream };
      return await withWarm(own, [watchedGranary(bench), nginx], [blob], async (warm) => {
        const found = await takeTurns(bench, label, warm, (each) => serveCrowd(bench, each, blob));
        return rowsOf(label, found);
      });
    } finally {
      await upstream.stop();
    }
  },
};

function firstOf({ material, directory }: Bench, size: number): Content {
  const file = join(directory, "first-of-small");
  const bytes = readFileSync(material.small.file).subarray(0, size);
  writeFileSync(file, bytes);
  return contentOf(file, bytes, "blobs", material.small.mediaType);
}

async function serveCrowd(bench: Bench, { started }: WarmContender, blob: Content) {
  const { port, pid } = started;
  const load = { port, path: blob.path, connections: CLIENTS, requests: TIMES_EACH, timeoutSeconds: 60 };
  const { bytes, seconds, wholeMs, wholeP99Ms, ends } = await bench.runLoad(load);
  const memory = peakMemory(pid) / 1e6;
  return { speed: bytes / seconds / 1e9, wholeMs, wholeP99Ms, spread: ends.first / ends.last, memory };
}

type Found = Awaited<
  ReturnType<typeof takeTurns<keyof Awaited<ReturnType<typeof serveCrowd>>, WarmContender>>
>;

function rowsOf(
  label: string,
  { speed = {}, wholeMs = {}, wholeP99Ms = {}, spread = {}, memory = {} }: Found,
): Row[] {
  const row = (name: string, unit: Row["unit"], values: Values, checks: Row["checks"]): Row => {
    return { name: `${label}${name}`, unit, contenders: SERVERS, values, checks };
  };
  return [
    row("", "GB/s", speed, [atLeastTimes(speed, "nginx", 0.9)]),
    row(": from asking to the last byte, median", "ms", wholeMs, []),
    row(": the same, one in a hundred takes longer", "ms", wholeP99Ms, [
      atMostTimes(wholeP99Ms, "nginx", 1.2),
    ]),
    row(": end of the first client / of the last", "x", spread, []),
    row(": peak memory", "MB", memory, [atMost(memory.granary, MOST_MB, "MB")]),
  ];
}
