/**
 * Owns fairness: contenders take turns within each round, so that a slow moment of the machine hits all of them, and
 * the median of the rounds counts. A contender that fails is reported and left out; the others go on.
 */
import type { Bench } from "./bench.ts";
import type { Contender } from "./peers/contender.ts";
import type { ContenderName } from "./row.ts";

export type Values = Partial<Record<ContenderName, number>>;

/** Runs `measure` once per round and entrant; the result holds the median of each number that `measure` returns. */
export async function takeTurns<K extends string, E extends { readonly name: ContenderName }>(
  bench: Bench,
  label: string,
  entrants: readonly E[],
  measure: (entrant: E) => Promise<Record<K, number>>,
  rounds: number = bench.rounds,
): Promise<Partial<Record<K, Values>>> {
  const samples = new Map<ContenderName, Record<K, number>[]>();
  const failed = new Set<ContenderName>();
  for (let round = 1; round <= rounds; round++) {
    for (const entrant of entrants) {
      if (failed.has(entrant.name)) continue;
      try {
        const sample = await measure(entrant);
        bench.note(`${label}, round ${round}, ${entrant.name}: ${JSON.stringify(sample)}`);
        samples.set(entrant.name, [...(samples.get(entrant.name) ?? []), sample]);
      } catch (cause) {
        failed.add(entrant.name);
        samples.delete(entrant.name);
        bench.note(`${label}: ${entrant.name} FAILED: ${cause instanceof Error ? cause.message : cause}`);
      }
    }
  }
  return mediansOf(samples);
}

/** Leaves out contenders that nobody wants this time, and those that are not installed, these with a notice. */
export function presentOf(bench: Bench, contenders: readonly Contender[]): Contender[] {
  const wanted = ({ name }: Contender) =>
    bench.against.length === 0 || name === "granary" || bench.against.includes(name);
  return contenders.filter(wanted).filter((contender) => {
    const reason = contender.missing();
    if (reason) bench.note(`skipping ${contender.name}: ${reason}`);
    return !reason;
  });
}

function mediansOf<K extends string>(
  samples: ReadonlyMap<ContenderName, Record<K, number>[]>,
): Partial<Record<K, Values>> {
  const medians: Partial<Record<K, Values>> = {};
  for (const [name, list] of samples) {
    for (const key of Object.keys(list[0] ?? {}) as K[]) {
      const values: Values = medians[key] ?? {};
      values[name] = median(list.map((sample) => sample[key]));
      medians[key] = values;
    }
  }
  return medians;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}
