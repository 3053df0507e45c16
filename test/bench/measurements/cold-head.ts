/** HEAD of a cold blob: how long it takes, and that not one byte of the blob is fetched for it. */
import { type Measurement, withContender } from "../bench.ts";
import { caches } from "../peers/all.ts";
import { presentOf, takeTurns } from "../rounds.ts";
import { atMost } from "../row.ts";
import { settledBytes } from "../support/settled-bytes.ts";

export const coldHead: Measurement = {
  name: "cold-head",
  measure: async (bench) => {
    const { big } = bench.material;
    const contenders = presentOf(bench, caches(bench));
    const { ms = {}, fetched = {} } = await takeTurns(bench, "HEAD, cold", contenders, (contender) =>
      withContender(bench, contender, bench.upstream, async ({ port }) => {
        await bench.upstream.reset();
        const report = await bench.runLoad({ port, path: big.path, head: true });
        return { ms: report.firstByteMs, fetched: (await settledBytes(bench.upstream, big.path)) / 2 ** 20 };
      }),
    );
    return [
      { name: "HEAD of a cold blob", unit: "ms", values: ms, checks: [] },
      {
        name: "HEAD of a cold blob: upstream sent",
        unit: "MiB fetched",
        values: fetched,
        checks: [atMost(fetched.granary, 0, "MiB fetched")],
      },
    ];
  },
};
