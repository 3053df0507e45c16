/** Owns how warm rows are measured: all contenders warm and up at once, timed runs in turns, one load at a time. */
import { type Bench, dispose, type Started, startContender } from "../bench.ts";
import type { Content } from "../material.ts";
import type { Contender } from "../peers/contender.ts";
import { presentOf } from "../rounds.ts";
import { warmUp } from "../warm-up.ts";

export type WarmContender = { readonly name: Contender["name"]; readonly started: Started };

/** Starts and warms those that are installed, calls `use`, and removes them. One that cannot be warmed is left out. */
export async function withWarm<T>(
  bench: Bench,
  contenders: readonly Contender[],
  contents: readonly Content[],
  use: (warm: readonly WarmContender[]) => Promise<T>,
): Promise<T> {
  const warm: WarmContender[] = [];
  try {
    for (const contender of presentOf(bench, contenders)) {
      const started = await startWarm(bench, contender, contents);
      if (started) warm.push({ name: contender.name, started });
    }
    return await use(warm);
  } finally {
    for (const { started } of warm) await dispose(started);
  }
}

async function startWarm(
  bench: Bench,
  contender: Contender,
  contents: readonly Content[],
): Promise<Started | undefined> {
  let started: Started | undefined;
  try {
    started = await startContender(bench, contender);
    for (const content of contents) await warmUp(bench, contender, started, content);
    return started;
  } catch (cause) {
    bench.note(`${contender.name} FAILED to get warm: ${cause instanceof Error ? cause.message : cause}`);
    if (started) await dispose(started);
    return undefined;
  }
}
