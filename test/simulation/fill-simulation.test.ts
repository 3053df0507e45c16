/**
 * The seeded simulation of the Fill engine: readers join and hang up, lanes are cut, the process stops, crashes and comes
 * back; after each step the invariants are asserted. A failing seed is in the error's message and reproduces alone.
 */
import { describe, expect, test } from "vitest";
import { World } from "./world.ts";

const SEEDS = Number(process.env.GRANARY_SEEDS ?? 150);
const FIRST = Number(process.env.GRANARY_SEED ?? 1);
const STEPS = 40;
const KIB = 1024;

describe("the fill engine, simulated", () => {
  test(`keeps F1-F17 over ${SEEDS} random histories`, { timeout: 120_000 }, async () => {
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      await history(seed).catch((error: unknown) => {
        throw new Error(
          `seed ${seed} (rerun it alone: GRANARY_SEED=${seed} GRANARY_SEEDS=1): ${String(error)}`,
          { cause: error },
        );
      });
    }
  });
});

async function history(seed: number): Promise<void> {
  const sizes = [0, 1, 100 * KIB, 700 * KIB + 13, 3 * 1024 * KIB + 7];
  const world = new World(seed, sizes[seed % sizes.length] ?? 1, { finish: seed % 7 === 0 });
  for (let step = 0; step < STEPS; step++) {
    await act(world);
    world.check();
  }
  calm(world);
  const last = [world.join(undefined), world.join(anyRange(world))];
  await world.finish(120_000);
  world.check();
  for (const reader of last) {
    expect(reader.error).toBeUndefined();
    expect(reader.outcome).toBe("done");
  }
  expect(world.store.blobs.has(world.digest) || world.size > 0).toBe(true);
  await world.checkNothingIsLeft();
}

/** One random thing that happens, then a little time. */
async function act(world: World): Promise<void> {
  const dice = world.random();
  const { weather } = world.origin;
  if (dice < 0.25) world.join(undefined, world.random() < 0.3 ? 20 : 0);
  else if (dice < 0.5)
    world.join(anyRange(world), world.random() < 0.3 ? 10 : 0, 1 + Math.floor(world.random() * 200 * KIB));
  else if (dice < 0.65) any(world, world.reading)?.leave();
  else if (dice < 0.7) weather.cut = world.random() * 0.3;
  else if (dice < 0.75) weather.refuse = world.random() * 0.5;
  else if (dice < 0.78) weather.rangeBlind = !weather.rangeBlind;
  else if (dice < 0.82) calm(world);
  else if (dice < 0.86) weather.chunkBytes = 1 + Math.floor(world.random() * 64 * KIB);
  else if (dice < 0.9) await world.restart();
  else if (dice < 0.93) await world.crash();
  await world.clock.advance(Math.floor(world.random() * (world.random() < 0.1 ? 6_000 : 150)));
}

function calm(world: World): void {
  Object.assign(world.origin.weather, { cut: 0, refuse: 0, rangeBlind: false, chunkBytes: 32 * KIB });
}

function anyRange(world: World): { start: number; end: number } {
  const start = Math.floor(world.random() * world.size);
  return { start, end: start + Math.ceil(world.random() * (world.size - start)) };
}

function any<T>(world: World, list: readonly T[]): T | undefined {
  return list[Math.floor(world.random() * list.length)];
}
