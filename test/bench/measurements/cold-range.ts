/**
 * A 1 KiB range near the end of a cold 1 GiB blob: how long until it is there, and what the upstream had to send for
 * it. A peer that answers 200 with the whole blob is timed to its end, 4 MiB after the wanted bytes.
 */
import { type Measurement, withContender } from "../bench.ts";
import { caches } from "../peers/all.ts";
import { presentOf, takeTurns } from "../rounds.ts";
import { atMost } from "../row.ts";
import { settledBytes } from "../support/settled-bytes.ts";

const BEFORE_END = 4 * 2 ** 20;
const MOST_MS = 100;
/** "One small segment": no more than from the wanted byte to the end. */
const MOST_MIB = BEFORE_END / 2 ** 20;

export const coldRange: Measurement = {
  name: "cold-range",
  measure: async (bench) => {
    const { big } = bench.material;
    const start = big.size - BEFORE_END;
    const contenders = presentOf(bench, caches(bench));
    const { ms = {}, fetched = {} } = await takeTurns(bench, "1 KiB range, cold", contenders, (contender) =>
      withContender(bench, contender, bench.upstream, async ({ port }) => {
        await bench.upstream.reset();
        const report = await bench.runLoad({ port, path: big.path, range: `${start}-${start + 1023}` });
        const ms = report.seconds * 1000;
        return { ms, fetched: (await settledBytes(bench.upstream, big.path, 1_000)) / 2 ** 20 };
      }),
    );
    const name = `1 KiB range of a cold blob (${big.size / 2 ** 20} MiB)`;
    return [
      {
        name: `${name}: until it is there`,
        unit: "ms",
        values: ms,
        checks: [atMost(ms.granary, MOST_MS, "ms")],
      },
      {
        name: `${name}: upstream sent`,
        unit: "MiB fetched",
        values: fetched,
        checks: [atMost(fetched.granary, MOST_MIB, "MiB fetched")],
      },
    ];
  },
};
