/**
 * Warm and cold rows on a small machine: every server in a control group with one core, 512 MB and no swap, the load and the registry that is
 * asked outside of it. What counts is that nothing is killed there. The big blob does not fit into its page cache.
 */
import type { Bench, Measurement } from "../bench.ts";
import { caches } from "../peers/all.ts";
import type { Contender } from "../peers/contender.ts";
import type { Values } from "../rounds.ts";
import { atMost, type Row, SMALL_MACHINES } from "../row.ts";
import { inSmallMachine, smallMachineIsMissing } from "../support/small-machine.ts";
import { coldBlobRows } from "./cold-blob.ts";
import { COLD, memoryRow, WARM } from "./peak-memory.ts";
import { smallAnswerRows } from "./small-answers.ts";
import { warmBlobRows } from "./warm-blob.ts";

export const smallMachine: Measurement = {
  name: "small-machine",
  measure: async (bench) => {
    const reason = await smallMachineIsMissing();
    if (reason) {
      bench.note(`skipping small-machine: ${reason}`);
      return [];
    }
    const killed: Values = {};
    const contenders = caches(bench).map((contender) =>
      inSmallMachine(contender, (processes) => {
        killed[contender.name] = (killed[contender.name] ?? 0) + processes;
      }),
    );
    const rows = await usualRows(bench, contenders);
    const checks = [atMost(killed.granary, 0, "killed")];
    return [
      // What is wanted is wanted of a machine that is not small.
      ...rows.map((row) => ({
        ...row,
        name: `small machine: ${row.name}`,
        contenders: SMALL_MACHINES,
        checks: [],
      })),
      {
        name: "small machine: processes killed for memory",
        unit: "killed",
        contenders: SMALL_MACHINES,
        values: killed,
        checks,
      },
    ];
  },
};

async function usualRows(bench: Bench, contenders: readonly Contender[]): Promise<Row[]> {
  return [
    ...(await warmBlobRows(bench, contenders, [1, 16])),
    ...(await smallAnswerRows(bench, contenders)),
    ...(await coldBlobRows(bench, contenders, [1, 8])),
    await memoryRow(bench, WARM, contenders),
    await memoryRow(bench, COLD, contenders),
  ];
}
