/**
 * Small answers per second over 32 kept connections: a manifest by tag (what a pull asks first) and by digest, its headers only, the question
 * whether this is a registry, and "you have it already". The yardstick is a bare node:http handler with the same headers and bodies.
 */
import type { Bench, Measurement } from "../bench.ts";
import { smallServers } from "../peers/all.ts";
import type { Contender } from "../peers/contender.ts";
import { takeTurns } from "../rounds.ts";
import { atLeastTimes, type Row, SERVERS } from "../row.ts";
import type { Load } from "../support/load.ts";
import { type WarmContender, withWarm } from "./with-warm.ts";

const CONNECTIONS = 32;
const LEAST = 0.8;

export const smallAnswers: Measurement = {
  name: "small-answers",
  measure: (bench) => smallAnswerRows(bench, smallServers(bench)),
};

/** A row for each kind of answer. */
export function smallAnswerRows(bench: Bench, contenders: readonly Contender[]): Promise<Row[]> {
  const { manifest, manifestByTag } = bench.material;
  const unlessMatches = `"${manifest.digest}"`;
  const kinds: readonly [name: string, asked: Omit<Load, "port">][] = [
    ["warm manifest by tag", { path: manifestByTag }],
    ["warm manifest by digest", { path: manifest.path }],
    ["HEAD of a warm manifest", { path: manifestByTag, head: true }],
    ["/v2/", { path: "/v2/" }],
    ["warm manifest that the client has (304)", { path: manifest.path, unlessMatches }],
  ];
  const contents = [{ ...manifest, path: manifestByTag }, manifest];
  return withWarm(bench, contenders, contents, async (warm) => {
    const rows: Row[] = [];
    for (const [name, asked] of kinds) rows.push(await rowOf(bench, warm, name, asked));
    return rows;
  });
}

async function rowOf(
  bench: Bench,
  warm: readonly WarmContender[],
  name: string,
  asked: Omit<Load, "port">,
): Promise<Row> {
  // nginx has ETags of its own, which nobody has heard of here.
  const able = asked.unlessMatches === undefined ? warm : warm.filter((one) => one.name !== "nginx");
  const { rate: values = {} } = await takeTurns(bench, name, able, async ({ started }) => {
    const load = { ...asked, port: started.port, connections: CONNECTIONS, seconds: bench.runSeconds };
    const report = await bench.runLoad(load);
    return { rate: report.requests / report.seconds };
  });
  const checks = [atLeastTimes(values, "bare", LEAST)];
  return { name, unit: "requests/s", contenders: SERVERS, values, checks };
}
