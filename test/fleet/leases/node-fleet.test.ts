/** Shows what a node may rely on of its leases: one has it, it ends in time, and nobody acts under one that is over. */
import { expect, test } from "vitest";
import { blobLease, type Lease } from "../../../src/fleet/fleet.ts";
import { createLog, type Log } from "../../../src/observe/log.ts";
import { parseDigest } from "../../../src/oci/digest.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { memoryFleet } from "../../support/memory-fleet.ts";

const DIGEST = parseDigest(`sha256:${"a".repeat(64)}`);
const KEY = blobLease("hub", DIGEST);

function world() {
  const clock = new FakeClock();
  return { clock, ...memoryFleet({ clock }) };
}

function held(lease: Lease | undefined): Lease {
  if (lease === undefined) throw new Error("The lease was not given.");
  return lease;
}

/** A log whose lines can be read. */
function readableLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const output = { write: (line: string) => lines.push(line) > 0 };
  return {
    log: createLog({ level: "info", format: "json" }, output as unknown as NodeJS.WritableStream),
    lines,
  };
}

test("G1: of all who ask for a key at once one has it, and the others are told who", async () => {
  const { node } = world();
  const nodes = await Promise.all(["a", "b", "c", "d"].map((name) => node(name)));
  const leases = await Promise.all(nodes.map((fleet) => fleet.acquire(KEY)));
  const [winner] = leases.flatMap((lease, index) => (lease === undefined ? [] : [index]));
  expect(leases.filter((lease) => lease !== undefined)).toHaveLength(1);
  for (const [index, fleet] of nodes.entries()) {
    const standing = await fleet.resolve(DIGEST, KEY);
    expect(standing).toMatchObject({ is: "held", holder: { isMe: index === winner } });
  }
  expect(await nodes[winner ?? 0]?.acquire(KEY)).toBeUndefined();
});

test("a heartbeat that is late by less than its lifetime ends nothing", async () => {
  const { clock, node, cuts } = world();
  const lease = held(await (await node("a")).acquire(KEY));
  for (let round = 0; round < 5; round++) {
    cuts.add("a");
    await clock.advance(2_900);
    expect(lease.isMine).toBe(true);
    cuts.delete("a");
    await clock.advance(1_100);
  }
  expect(lease.lost.aborted).toBe(false);
});

test("G2: a node that is cut off lets go half a second before another one can take over", async () => {
  const { clock, node, cuts } = world();
  const [a, b] = [await node("a"), await node("b")];
  const lease = held(await a.acquire(KEY));
  cuts.add("a");
  await clock.advance(3_499);
  expect(lease.lost.aborted).toBe(false);
  await clock.advance(1);
  expect(lease.lost.aborted).toBe(true);
  expect(await b.acquire(KEY)).toBeUndefined();
  await clock.advance(500);
  expect(await b.acquire(KEY)).toMatchObject({ isMine: true });
});

test.each([
  ["stopped for a while: its clock went on, its timers did not", { elapsed: 5_000, date: 5_000 }],
  ["asleep: the clock that never goes back stood still", { elapsed: 0, date: 5_000 }],
])("G2: nothing is done under a lease by a process that was %s", async (_, slept) => {
  const { clock, node } = world();
  const passed = { elapsed: 0, date: 0 };
  const own = {
    now: () => clock.now() + passed.date,
    elapsed: () => clock.elapsed() + passed.elapsed,
    after: (ms: number, run: () => void) => clock.after(ms, run),
  };
  const lease = held(await (await node("a", { clock: own })).acquire(KEY));
  Object.assign(passed, slept);
  expect(lease.lost.aborted).toBe(false);
  expect(lease.isMine).toBe(false);
  expect(lease.lost.aborted).toBe(true);
  await expect(lease.noteUpload({ objectKey: "x", uploadId: "1" })).rejects.toMatchObject({ code: "closed" });
});

test("a node whose database came back takes up its work under new leases", async () => {
  const { clock, node, database } = world();
  const a = await node("a");
  const lease = held(await a.acquire(KEY));
  database.away = true;
  await clock.advance(10_000);
  expect(lease.lost.aborted).toBe(true);
  await expect(a.acquire(KEY)).rejects.toMatchObject({ code: "fleet-unavailable" });
  database.away = false;
  await clock.advance(2_000);
  expect(held(await a.acquire(KEY)).epoch).toBeGreaterThan(lease.epoch);
});

test("who takes over is told what was uploaded", async () => {
  const { clock, node, cuts } = world();
  const [a, b] = [await node("a"), await node("b")];
  const lease = held(await a.acquire(KEY));
  await lease.noteUpload({ objectKey: "blobs/1", uploadId: "7" });
  cuts.add("a");
  await clock.advance(4_000);
  const next = held(await b.acquire(KEY));
  expect(next.left).toEqual({
    node: "a",
    epoch: lease.epoch,
    upload: { objectKey: "blobs/1", uploadId: "7" },
  });
  expect(next.epoch).toBeGreaterThan(lease.epoch);
});

test("G13: who was taken over cannot make its object known", async () => {
  const { clock, node, cuts } = world();
  const [a, b] = [await node("a"), await node("b")];
  const lease = held(await a.acquire(KEY));
  cuts.add("a");
  await clock.advance(4_000);
  const next = held(await b.acquire(KEY));
  cuts.delete("a");
  expect(await lease.commit({ digest: DIGEST, size: 1, objectKey: "old" })).toBe(false);
  expect(await next.commit({ digest: DIGEST, size: 1, objectKey: "new" })).toBe(true);
  expect(await a.resolve(DIGEST, KEY)).toMatchObject({ is: "stored", object: { objectKey: "new" } });
  expect(next.lost.aborted).toBe(true);
});

test("G5: a commit whose answer was lost says the same when it is asked again", async () => {
  const { node, rows } = world();
  const a = await node("a");
  const lease = held(await a.acquire(KEY));
  const object = { digest: DIGEST, size: 1, objectKey: "o" };
  const [row] = rows.leases.values();
  if (row === undefined) throw new Error("The lease has no row.");
  rows.commit(row, object);
  expect(await lease.commit(object)).toBe(true);
});

test("a lease whose release was lost on its way is free again within two seconds", async () => {
  const { clock, node, cuts } = world();
  const [a, b] = [await node("a"), await node("b")];
  const lease = held(await a.acquire(KEY));
  cuts.add("a");
  await lease.release();
  expect(lease.lost.aborted).toBe(true);
  cuts.delete("a");
  expect(await b.acquire(KEY)).toBeUndefined();
  await clock.advance(2_000);
  expect(await b.acquire(KEY)).toMatchObject({ isMine: true });
});

test("a node that is started again under its name waits for its own dead process like the others", async () => {
  const { clock, node } = world();
  const { log, lines } = readableLog();
  const killed = { now: () => clock.now(), elapsed: () => clock.elapsed(), after: () => ({ cancel() {} }) };
  await (await node("a", { clock: killed })).acquire(KEY);
  const again = await node("a", { log });
  expect(await again.acquire(KEY)).toBeUndefined();
  await clock.advance(5_000);
  expect(await again.acquire(KEY)).toMatchObject({ isMine: true });
  expect(lines).toEqual([]);
});

test("two running nodes of one name: the second one says what to do, once, and brings nothing", async () => {
  const { clock, node } = world();
  const first = await node("a");
  const { log, lines } = readableLog();
  const second = await node("a", { log });
  const lease = held(await first.acquire(KEY));
  await clock.advance(30_000);
  expect(lines.filter((line) => line.includes("give each node a name of its own"))).toHaveLength(1);
  await expect(second.acquire("other")).rejects.toThrow(/give each node a name of its own/);
  expect(lease.isMine).toBe(true);
});

test("epochs are never given again, also by a database that was made anew", async () => {
  const { clock, node, rows } = world();
  const a = await node("a");
  const lease = held(await a.acquire(KEY));
  rows.empty();
  clock.setBy(-1_000_000_000); // Not even its date is right.
  await clock.advance(2_000);
  expect(lease.lost.aborted).toBe(true);
  expect(held(await a.acquire(KEY)).epoch).toBeGreaterThan(lease.epoch);
});

test("G1: a node that hears of a newer holder gives up its lease at once", async () => {
  const { node, rows } = world();
  const [a, b] = [await node("a"), await node("b")];
  const lease = held(await a.acquire(KEY));
  rows.leases.clear();
  const newer = held(await b.acquire(KEY));
  expect(lease.isMine).toBe(true);
  expect(await a.resolve(DIGEST, KEY)).toMatchObject({ is: "held", holder: { node: "b", isMe: false } });
  expect(lease.lost.aborted).toBe(true);
  expect(newer.isMine).toBe(true);
});

test("a pause of an upstream is heard by every node with its next heartbeat", async () => {
  const { clock, node } = world();
  const [a, b] = [await node("a"), await node("b")];
  await a.pause("hub", 30_000);
  expect(b.pausedForMs("hub")).toBe(0);
  await clock.advance(1_000);
  expect(b.pausedForMs("hub")).toBe(29_000);
  await clock.advance(29_000);
  expect(b.pausedForMs("hub")).toBe(0);
});

test("a node that goes is off the list, and its leases are free at once", async () => {
  const { node } = world();
  const [a, b] = [await node("a"), await node("b", { zone: "z" })];
  const lease = held(await a.acquire(KEY));
  expect((await b.leases(10)).map(({ key, holder }) => [key, holder.node])).toEqual([[KEY, "a"]]);
  await a.close();
  expect(lease.lost.aborted).toBe(true);
  expect(await b.members()).toMatchObject([{ node: "b", zone: "z", isLive: true, silentMs: 0 }]);
  expect(await b.acquire(KEY)).toMatchObject({ isMine: true });
});

test("the name of a lease has at most 1 KiB", async () => {
  const { node } = world();
  const a = await node("a");
  await expect(a.acquire("x".repeat(1025))).rejects.toThrow(/has 1025 bytes/);
});
