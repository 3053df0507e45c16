/** Shows what becomes of answers that come too late to be believed: a lease that was given to a node which had lost everything meanwhile. */
import { expect, test } from "vitest";
import type { LeaseRows } from "../../../src/fleet/leases/lease-rows.ts";
import { NodeFleet } from "../../../src/fleet/leases/node-fleet.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { awayError } from "../../support/memory-fleet.ts";
import { memoryLeaseRows } from "../../support/memory-lease-rows.ts";
import { MemoryLeaseTable } from "../../support/memory-lease-table.ts";

/** A node whose answers to `held` are kept back until they are let go; while it is cut off, no other question arrives. */
async function world(held: keyof LeaseRows) {
  const clock = new FakeClock();
  const table = new MemoryLeaseTable(() => clock.now());
  const line = { isCut: false };
  const { promise: letGo, resolve: release } = Promise.withResolvers<void>();
  const own = memoryLeaseRows(table, {
    isAnswering: true,
    onAnswering: () => () => undefined,
    async carry(statement) {
      if (line.isCut) throw awayError();
      return statement();
    },
  });
  const rows = new Proxy(own, {
    get(target, name: keyof LeaseRows) {
      if (name !== held) return target[name];
      const ask = target[name] as (...of: unknown[]) => Promise<unknown>;
      return async (...of: unknown[]) => {
        const answer = await ask(...of);
        await letGo;
        return answer;
      };
    },
  });
  const about = { node: "a", address: "a", zone: undefined, version: "1" };
  const fleet = new NodeFleet({ ...about, clock, log: silentLog, rows });
  void fleet.start();
  await settle();
  return { clock, table, line, fleet, release };
}

test("G2: a lease that was given before the node lost all it had is not taken when its answer comes after that", async () => {
  const { clock, table, line, fleet, release } = await world("acquire");
  const asked = fleet.acquire("key");
  await settle();
  line.isCut = true;
  await clock.advance(4_500);
  // Another one has it for a moment, which nobody tells this node.
  table.beat({
    ...{ node: "b", incarnation: "b", address: "b", zone: undefined, version: "1" },
    told: {},
    lifetimeMs: 600_000,
    tidying: undefined,
    isRenewal: false,
  });
  expect(table.acquire("key", { node: "b", incarnation: "b" })).toBeDefined();
  line.isCut = false;
  await clock.advance(1_500);
  release();
  expect(await asked).toBeUndefined();
});

test("a lease whose answer was not believed is nobody's two heartbeats later", async () => {
  const { clock, table, line, fleet, release } = await world("acquire");
  const asked = fleet.acquire("key");
  await settle();
  line.isCut = true;
  await clock.advance(4_500);
  line.isCut = false;
  await clock.advance(1_500);
  release();
  expect(await asked).toBeUndefined();
  await clock.advance(2_000);
  expect(table.holder("key")).toBeUndefined();
});

test("a heartbeat that is answered after its lifetime keeps nothing alive", async () => {
  const { clock, fleet, release } = await world("beat");
  await clock.advance(3_600);
  release();
  await settle();
  // The one that was asked first is too old; those after it are not.
  expect(await fleet.acquire("key")).toMatchObject({ isMine: true });
  await clock.advance(10_000);
  expect(await fleet.holder("key")).toMatchObject({ isMe: true });
});

test("one question for a key is under way at a time", async () => {
  const { fleet, release } = await world("acquire");
  const [first, second] = [fleet.acquire("key"), fleet.acquire("key")];
  expect(await second).toBeUndefined();
  release();
  expect(await first).toMatchObject({ isMine: true });
});
