/** An upstream that gives 25 MB/s per connection, as content networks do: 16 lanes against one direct connection. */
import { type Bench, type Measurement, withContender } from "../bench.ts";
import type { Contender } from "../peers/contender.ts";
import { granary } from "../peers/granary.ts";
import { registryProxies } from "../peers/registry-proxy.ts";
import { presentOf, takeTurns } from "../rounds.ts";
import { atLeastTimes } from "../row.ts";
import type { Load } from "../support/load.ts";
import { processorPerGib } from "../support/processor-time.ts";
import type { CountingUpstream } from "../support/upstream.ts";

const CAP = 25e6;
const LANES = 16;
/** One capped connection is steady; a few seconds of it tell its speed. */
const ONE_CONNECTION_SECONDS = 3;

type Sample = { readonly speed: number; readonly processor: number };
type Entrant = { readonly name: Contender["name"]; readonly run: () => Promise<Sample> };

export const cappedUpstream: Measurement = {
  name: "capped-upstream",
  measure: async (bench) => {
    const upstream = await bench.startCappedUpstream(CAP);
    try {
      const name = `upstream capped at ${CAP / 1e6} MB/s per connection, ${LANES} lanes`;
      const { speed: values = {}, processor = {} } = await takeTurns(
        bench,
        name,
        entrantsFor(bench, upstream),
        (entrant) => entrant.run(),
      );
      return [{ name, unit: "MB/s", values, processor, checks: [atLeastTimes(values, "direct", 8)] }];
    } finally {
      await upstream.stop();
    }
  },
};

function entrantsFor(bench: Bench, upstream: CountingUpstream): Entrant[] {
  const { path } = bench.material.big;
  const through = (contender: Contender, load: Omit<Load, "port" | "path">): Entrant => ({
    name: contender.name,
    run: () =>
      withContender(bench, contender, upstream, (server) => speedOf(bench, server, { path, ...load })),
  });
  const seconds = ONE_CONNECTION_SECONDS;
  const [own] = presentOf(bench, [granary(bench.granaryLauncher, LANES)]);
  return [
    ...(own ? [through(own, { requests: 1 })] : []),
    ...presentOf(bench, registryProxies).map((contender) => through(contender, { seconds })),
    { name: "direct", run: () => speedOf(bench, upstream, { path, seconds }) },
  ];
}

async function speedOf(
  bench: Bench,
  { pid, port }: { readonly pid: number; readonly port: number },
  load: Omit<Load, "port">,
): Promise<Sample> {
  const report = await processorPerGib(pid, () => bench.runLoad({ port, ...load }));
  return { speed: report.bytes / report.seconds / 1e6, processor: report.processor };
}
