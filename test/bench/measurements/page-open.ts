/**
 * What it costs those who are served that somebody looks on: processor time of the server for each warm request, with an open stream of events (a
 * snapshot a second) over that without one, in short turns. Processor time, because a machine with other work has no steady clock.
 */
import { readdirSync, readFileSync } from "node:fs";
import { freePort } from "../../support/free-ports.ts";
import type { Bench, Measurement } from "../bench.ts";
import type { Content } from "../material.ts";
import { granary } from "../peers/granary.ts";
import { ALONE, atMost, type Row } from "../row.ts";
import { type WarmContender, withWarm } from "./with-warm.ts";

const CONNECTIONS = 8;
const TURNS = 15;
const MOST_RATIO = 1.03;
/** Requests of one turn. */
const MANIFESTS = 4_000;
const BLOBS = 96;

export const pageOpen: Measurement = {
  name: "page-open",
  measure: async (bench) => {
    const admin = await freePort();
    const { manifest, manifestByTag, small } = bench.material;
    const byTag = { ...manifest, path: manifestByTag };
    return await withWarm(
      bench,
      [granary(bench.granaryLauncher, undefined, admin)],
      [byTag, manifest, small],
      async (warm) => {
        const rows: Row[] = [];
        for (const server of warm) {
          rows.push(await compared(bench, server, admin, ["warm manifest by tag", byTag, MANIFESTS]));
          rows.push(await compared(bench, server, admin, ["warm manifest by digest", manifest, MANIFESTS]));
          rows.push(await compared(bench, server, admin, ["warm blob", small, BLOBS]));
        }
        return rows;
      },
    );
  },
};

async function compared(
  bench: Bench,
  { started }: WarmContender,
  admin: number,
  [what, content, requests]: readonly [string, Content, number],
): Promise<Row> {
  const used: { open: number[]; closed: number[] } = { open: [], closed: [] };
  const turn = async (isOpen: boolean) => {
    const page = isOpen ? await openStream(admin) : undefined;
    const before = processorSeconds(started.pid);
    const { port } = started;
    const report = await bench.runLoad({
      ...{ port, path: content.path, connections: CONNECTIONS, requests: requests / CONNECTIONS },
    });
    used[isOpen ? "open" : "closed"].push((processorSeconds(started.pid) - before) / report.requests);
    page?.abort();
  };
  for (let round = 0; round < TURNS; round++)
    for (const isOpen of [round % 2 === 0, round % 2 !== 0]) await turn(isOpen);
  const [open, closed] = [lowerQuarter(used.open), lowerQuarter(used.closed)];
  const micro = (seconds: number) => `${(seconds * 1e6).toFixed(1)} us`;
  bench.note(`${what}: ${micro(closed)} of the processor for each request, with a page open ${micro(open)}`);
  const values = { granary: open / closed };
  const name = `${what}: processor time with a page open`;
  return { name, unit: "x", contenders: ALONE, values, checks: [atMost(values.granary, MOST_RATIO, "x")] };
}

/** Resolves when the first event is there; the bytes of the others are thrown away until it is aborted. */
async function openStream(port: number): Promise<AbortController> {
  const page = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/events`, { signal: page.signal });
  const reader = answer.body?.getReader();
  await reader?.read();
  const drain = async () => {
    while ((await reader?.read())?.done === false);
  };
  void drain().catch(() => undefined);
  return page;
}

/** Of all threads of a process, so far (Linux: Documentation/scheduler/sched-stats.rst). */
function processorSeconds(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((task) => {
    const [ran = "0"] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ");
    return Number(ran);
  });
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9;
}

/** What other work on the machine adds, it adds to some turns only. */
function lowerQuarter(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 4)] ?? Number.NaN;
}
