/** Shows what a fleet's nodes rely on over a real database: one has a lease, whatever happens to processes and to the database. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import type { Lease } from "../../src/fleet/fleet.ts";
import { NodeFleet } from "../../src/fleet/leases/node-fleet.ts";
import { openFleetDatabase } from "../../src/fleet/postgres/connection.ts";
import { PostgresLeaseRows } from "../../src/fleet/postgres/lease-rows.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { serverOfFile } from "../support/services/server-of-file.ts";

const server = serverOfFile();
const LIFETIME_MS = 4_000;

/** Nodes that share the connections of one database; each beats for itself. */
async function nodesAt(
  address: string,
  names: readonly string[],
  lifetimeMs = LIFETIME_MS,
): Promise<NodeFleet[]> {
  const options = { log: silentLog, clock: systemClock };
  const database = await openFleetDatabase(address, options);
  onTestFinished(() => database.close());
  const nodes = names.map((node) => {
    const about = { address: `http://${node}`, zone: undefined, version: "1", lifetimeMs };
    return new NodeFleet({ ...options, ...about, node, rows: new PostgresLeaseRows(database) });
  });
  await Promise.all(nodes.map((node) => node.start()));
  onTestFinished(async () => {
    await Promise.all(nodes.map((node) => node.close()));
  });
  return nodes;
}

async function nodeAt(address: string, name: string, lifetimeMs = LIFETIME_MS): Promise<NodeFleet> {
  const [node] = await nodesAt(address, [name], lifetimeMs);
  if (node === undefined) throw new Error("One name is one node.");
  return node;
}

/** As a caller would: again and again until it is given. */
async function acquired(node: NodeFleet, key: string): Promise<Lease> {
  const lease = () => node.acquire(key).catch(() => undefined);
  let found: Lease | undefined;
  await expect.poll(async () => (found = await lease()), { interval: 50 }).toBeDefined();
  if (found === undefined) throw new Error("It was given.");
  return found;
}

const lostAtLast = (lease: Lease) => expect.poll(() => lease.lost.aborted, { interval: 20 }).toBe(true);

/** A node in a process of its own (lease-process.ts), and what it said. */
class LeaseProcess {
  readonly #child: ChildProcess;
  readonly said: Record<string, unknown>[] = [];

  constructor(address: string, name: string, key: string) {
    const script = new URL("../support/services/lease-process.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, [script, address, name, key], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    createInterface(child.stdout).on("line", (line) => this.said.push(JSON.parse(line)));
    this.#child = child;
    onTestFinished(() => this.kill());
  }

  /** The first line with `word`, when it is there. */
  async says(word: string): Promise<Record<string, unknown>> {
    await expect.poll(() => this.said.some((line) => word in line), { interval: 20 }).toBe(true);
    return this.said.find((line) => word in line) ?? {};
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

test("G1: of twenty nodes that want a lease at once one has it, two hundred times", async () => {
  const address = await server.current.createDatabase();
  const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
  const groups = await Promise.all(
    [0, 5, 10, 15].map((first) => nodesAt(address, names.slice(first, first + 5))),
  );
  const nodes = groups.flat();
  let epoch = 0;
  for (let round = 0; round < 200; round++) {
    const leases = await Promise.all(nodes.map((node) => node.acquire("key")));
    const given = leases.filter((lease) => lease !== undefined);
    expect(given).toHaveLength(1);
    const [lease] = given;
    expect(lease?.epoch).toBeGreaterThan(epoch);
    epoch = lease?.epoch ?? 0;
    const holders = await Promise.all(nodes.map((node) => node.holder("key")));
    expect(holders.filter((holder) => holder?.isMe)).toHaveLength(1);
    expect(new Set(holders.map((holder) => holder?.epoch))).toEqual(new Set([epoch]));
    await lease?.release();
  }
});

test("a node that was killed is taken over within its lifetime, and no sooner", async () => {
  const address = await server.current.createDatabase();
  const killed = new LeaseProcess(address, "killed", "key");
  const { noted } = await killed.says("noted");
  const survivor = await nodeAt(address, "survivor");
  expect(await survivor.acquire("key")).toBeUndefined();
  const [member] = (await survivor.members()).filter(({ node }) => node === "killed");
  const lastBeat = performance.now() - (member?.silentMs ?? 0);
  await killed.kill();
  const lease = await acquired(survivor, "key");
  const tookMs = performance.now() - lastBeat;
  expect(tookMs).toBeGreaterThan(LIFETIME_MS - 100);
  expect(lease.left).toEqual({
    node: expect.any(String),
    epoch: noted,
    upload: { objectKey: "o/killed", uploadId: "killed" },
  });
});

test("G13: a node that was stopped and wakes knows at once that it has nothing, and makes nothing known", async () => {
  const address = await server.current.createDatabase();
  const stopped = new LeaseProcess(address, "stopped", "key");
  await stopped.says("noted");
  const survivor = await nodeAt(address, "survivor");
  stopped.signal("SIGSTOP");
  const lease = await acquired(survivor, "key");
  expect(stopped.said).toHaveLength(2);
  stopped.signal("SIGCONT");
  expect(await stopped.says("lost")).toMatchObject({ isAborted: true });
  expect(await stopped.says("committed")).toMatchObject({ isKnown: false });
  expect(lease.isMine).toBe(true);
  await lease.release();
  // It follows, and is a node like any other again.
  await expect.poll(() => stopped.said.filter((line) => "got" in line).length).toBe(2);
});

test("a database that is stopped ends the leases in time, and one that comes back gives new ones", async () => {
  const address = await server.current.createDatabase();
  const node = await nodeAt(address, "a");
  const lease = await acquired(node, "key");
  await server.current.stop();
  await expect.poll(() => node.isAnswering).toBe(false);
  expect(lease.isMine).toBe(true);
  await expect(node.acquire("other")).rejects.toMatchObject({ code: "fleet-unavailable" });
  await lostAtLast(lease);
  await expect(lease.noteUpload({ objectKey: "o", uploadId: "u" })).rejects.toMatchObject({ code: "closed" });
  await server.current.start();
  const next = await acquired(node, "key");
  expect(next.epoch).toBeGreaterThan(lease.epoch);
});

test("a database that was away for less than the lifetime ends nothing", async () => {
  const address = await server.current.createDatabase();
  const node = await nodeAt(address, "a", 10 * LIFETIME_MS);
  const lease = await acquired(node, "key");
  const beats = { count: 0 };
  node.onBeat(() => {
    beats.count += 1;
  });
  await server.current.kill();
  await expect.poll(() => node.isAnswering).toBe(false);
  const before = beats.count;
  await server.current.start();
  await expect.poll(() => beats.count).toBeGreaterThan(before + 1);
  expect(lease.isMine).toBe(true);
  expect(await node.holder("key")).toMatchObject({ isMe: true, epoch: lease.epoch });
});

test("G6: a database that was dropped and made anew gives no epoch again, and the nodes go on", async () => {
  const address = await server.current.createDatabase();
  const name = new URL(address).pathname.slice(1);
  const [a, b] = [await nodeAt(address, "a"), await nodeAt(address, "b")];
  const epochs: number[] = [];
  for (let round = 0; round < 50; round++) {
    const lease = await acquired(a, `key ${round}`);
    epochs.push(lease.epoch);
  }
  const lease = await acquired(a, "key");
  await server.current.ask(server.current.address, `drop database ${name} with (force)`);
  await server.current.ask(server.current.address, `create database ${name}`);
  await lostAtLast(lease);
  // One that knew nothing of those, and one that did.
  for (const node of [b, a]) {
    const next = await acquired(node, "key");
    expect(next.epoch).toBeGreaterThan(Math.max(lease.epoch, ...epochs));
    await next.release();
  }
  const fresh = await acquired(await nodeAt(address, "c"), "key");
  expect(fresh.epoch).toBeGreaterThan(lease.epoch);
});

test("two hundred nodes at one database: no heartbeat is late, and every lease is held to its end", async () => {
  const address = await server.current.createDatabase();
  const names = Array.from({ length: 200 }, (_, index) => `n${index}`);
  const groups = await Promise.all(
    [0, 50, 100, 150].map((first) => nodesAt(address, names.slice(first, first + 50))),
  );
  const nodes = groups.flat();
  const leases = await Promise.all(nodes.map((node) => acquired(node, `key of ${node.node}`)));
  let beats = 0;
  for (const node of nodes)
    node.onBeat(() => {
      beats += 1;
    });
  const begun = performance.now();
  await expect.poll(() => performance.now() - begun, { interval: 200 }).toBeGreaterThan(2.5 * LIFETIME_MS);
  expect(leases.every((lease) => lease.isMine)).toBe(true);
  expect(beats).toBeGreaterThan(nodes.length * 5);
  const members = await nodes[0]?.members();
  expect(members?.filter(({ isLive }) => isLive)).toHaveLength(200);
  expect(await nodes[0]?.leases(500)).toHaveLength(200);
});
