/** Shows that the database in memory, which other tests build on, keeps the contract that PostgreSQL keeps. */
import { leaseRowsContract } from "../../contract/lease-rows-contract.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { memoryLeaseRows } from "../../support/memory-lease-rows.ts";
import { MemoryLeaseTable } from "../../support/memory-lease-table.ts";

leaseRowsContract("in memory", async () => {
  const clock = new FakeClock();
  const table = new MemoryLeaseTable(() => clock.now());
  const rows = memoryLeaseRows(table, {
    carry: async (statement) => statement(),
    isAnswering: true,
    onAnswering: () => () => undefined,
  });
  return {
    rows,
    expire: () => clock.advance(1_600),
    async doom() {
      for (const row of table.blobs.values()) row.doomedAt = clock.now();
    },
    async isDoomed() {
      return [...table.blobs.values()].some(({ doomedAt }) => doomedAt !== undefined);
    },
  };
});
