/**
 * The seeded simulation of leases: nodes with clocks that go wrong are killed, started again, stopped, put to sleep and cut off; messages are late
 * or lost on either way, and the database goes away, or is made anew. What must hold is asserted after each thing that happens. A failing
 * seed is in the error's message and reproduces alone.
 */
import { describe, expect, test } from "vitest";
import { LeaseWorld } from "./leases/lease-world.ts";
import type { SimulatedProcess } from "./leases/simulated-process.ts";

const SEEDS = Number(process.env.GRANARY_SEEDS ?? 1_500);
const FIRST = Number(process.env.GRANARY_SEED ?? 1);
const STEPS = 30;
const CALM_MS = 30_000;

describe("leases, simulated", () => {
  test(`G1, G2, G5, G6, G7, G13: hold over ${SEEDS} random histories`, { timeout: 1_800_000 }, async () => {
    const happened: Record<string, number> = {};
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const counts = await history(seed).catch((error: unknown) => {
        throw new Error(
          `seed ${seed} (rerun it alone: GRANARY_SEED=${seed} GRANARY_SEEDS=1): ${String(error)}`,
          { cause: error },
        );
      });
      for (const [what, count] of Object.entries(counts)) happened[what] = (happened[what] ?? 0) + count;
    }
    // A simulation in which nothing happens would hold anything.
    if (SEEDS >= 100)
      for (const [what, count] of Object.entries(happened)) expect(count, what).toBeGreaterThan(100);
  });
});

async function history(seed: number): Promise<Record<string, number>> {
  const world = new LeaseWorld(seed);
  const { timeline, check } = world;
  for (let step = 0; step < STEPS; step++) {
    want(world);
    if (timeline.chance(0.7)) act(world);
    await timeline.pass(timeline.between(20, 2_000), check);
  }
  calm(world);
  for (const node of world.nodes.values()) for (const digest of world.digests) node.want(digest);
  await timeline.pass(CALM_MS, check);
  for (const [name, node] of world.nodes) expect(node.isContent, `G13: ${name} has what it wants`).toBe(true);
  expect(world.table.heldLeases(10), "leases that nobody ended").toEqual([]);
  return world.counts;
}

function want(world: LeaseWorld): void {
  const { timeline, nodes, digests } = world;
  const digest = timeline.any(digests);
  if (digest !== undefined) for (const node of nodes.values()) if (timeline.chance(0.5)) node.want(digest);
}

/** Something goes wrong, or is well again. */
function act(world: LeaseWorld): void {
  const { timeline } = world;
  const name = timeline.any([...world.nodes.keys()]) ?? "";
  const dice = timeline.random();
  if (dice < 0.3) actOnProcess(world, name);
  else if (dice < 0.5) actOnLine(world, name);
  else if (dice < 0.6) world.weather.isAway = !world.weather.isAway;
  else if (dice < 0.7) world.weather.cutOff.clear();
  else if (dice < 0.75) world.evict();
  else if (dice < 0.77) world.loseDatabase();
  else if (dice < 0.85) world.troubles = timeline.between(0, 0.3);
  else wake(world);
}

function actOnProcess(world: LeaseWorld, name: string): void {
  const { timeline } = world;
  const process = world.nodes.get(name)?.process;
  if (process === undefined) return;
  const dice = timeline.random();
  if (dice < 0.25) killAndStart(world, name);
  else if (dice < 0.4) setDate(world, process);
  else {
    if (dice < 0.75 || !world.isSleepy) process.stop();
    else process.sleep();
    timeline.at(timeline.between(50, 12_000), () => process.wake());
  }
}

/** Of a machine that never sleeps: when its date is set back just then, there is nothing left to see by that it slept. */
function setDate({ timeline, isSleepy }: LeaseWorld, process: SimulatedProcess): void {
  if (!isSleepy) process.setDateBy((timeline.random() - 0.5) * 20_000);
}

function actOnLine({ timeline, weather }: LeaseWorld, name: string): void {
  const dice = timeline.random();
  if (dice < 0.4) weather.cutOff.add(name);
  else if (dice < 0.7) weather.loss = timeline.between(0, 0.5);
  else weather.mostDelayMs = timeline.between(10, 8_000);
}

function killAndStart(world: LeaseWorld, name: string): void {
  const { timeline } = world;
  world.nodes.get(name)?.process.kill();
  timeline.at(timeline.between(10, 6_000), () => {
    if (world.nodes.get(name)?.process.isDead) world.start(name);
  });
}

function wake({ nodes }: LeaseWorld): void {
  for (const { process } of nodes.values()) process.wake();
}

function calm(world: LeaseWorld): void {
  Object.assign(world.weather, { isAway: false, loss: 0, mostDelayMs: 10 });
  world.weather.cutOff.clear();
  world.troubles = 0;
  world.endTwin();
  wake(world);
  for (const [name, { process }] of world.nodes) if (process.isDead) world.start(name);
}
