/** An upstream that gives 25 MB/s per connection, as content networks do: 16 lanes against one direct connection. */
import { type Bench, type Measurement, withContender } from "../bench.ts";
import type { Contender } from "../peers/contender.ts";
import { granary } from "../peers/granary.ts";
import { registryProxy } from "../peers/registry-proxy.ts";
import { presentOf, takeTurns } from "../rounds.ts";
import { atLeastTimes } from "../row.ts";
import type { CountingUpstream } from "../support/upstream.ts";

const CAP = 25e6;
const LANES = 16;
/** One capped connection is steady; a few seconds of it tell its speed. */
const ONE_CONNECTION_SECONDS = 3;

type Entrant = { readonly name: Contender["name"]; readonly run: () => Promise<{ speed: number }> };

export const cappedUpstream: Measurement = {
  name: "capped-upstream",
  measure: async (bench) => {
    const upstream = await bench.startCappedUpstream(CAP);
    try {
      const label = `upstream capped at ${CAP / 1e6} MB/s per connection, ${LANES} lanes`;
      const entrants = entrantsFor(bench, upstream);
      const { speed: values = {} } = await takeTurns(bench, label, entrants, (entrant) => entrant.run());
      return [{ name: label, unit: "MB/s", values, checks: [atLeastTimes(values, "direct", 8)] }];
    } finally {
      await upstream.stop();
    }
  },
};

function entrantsFor(bench: Bench, upstream: CountingUpstream): Entrant[] {
  const { path } = bench.material.big;
  const seconds = ONE_CONNECTION_SECONDS;
  return [
    ...presentOf(bench, [granary(bench.granaryLauncher, LANES)]).map((contender) => ({
      name: contender.name,
      run: () =>
        withContender(bench, contender, upstream.port, ({ port }) =>
          speedOf(bench, { port, path, requests: 1 }),
        ),
    })),
    ...presentOf(bench, [registryProxy]).map((contender) => ({
      name: contender.name,
      run: () =>
        withContender(bench, contender, upstream.port, ({ port }) => speedOf(bench, { port, path, seconds })),
    })),
    { name: "direct", run: () => speedOf(bench, { port: upstream.port, path, seconds }) },
  ];
}

async function speedOf(bench: Bench, load: Parameters<Bench["runLoad"]>[0]): Promise<{ speed: number }> {
  const report = await bench.runLoad(load);
  return { speed: report.bytes / report.seconds / 1e6 };
}
