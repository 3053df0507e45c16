/** Owns sums of traffic with what was saved and what they are of, and the order in which people are shown them. Pure. */
import { addTraffic, noTraffic, type TrafficSums } from "../metadata/traffic-sums.ts";

/** Bytes that did not have to come over the internet. Negative where more was fetched than was served, as by warm-ups. */
export type SavedSums = Readonly<TrafficSums> & { readonly saved: number };

export type NamedSums = SavedSums & { readonly name: string };

export function withSaved(sums: Readonly<TrafficSums>): SavedSums {
  return { ...sums, saved: sums.served - sums.fetched };
}

export function sumOf(all: readonly Readonly<TrafficSums>[]): SavedSums {
  const sum = noTraffic();
  for (const each of all) addTraffic(sum, each);
  return withSaved(sum);
}

export function isPeriod(by: string): by is "hour" | "day" | "month" {
  return by === "hour" || by === "day" || by === "month";
}

/** Newest period, or most served bytes, first. */
export function inOrder<Sums extends { readonly name: string; readonly served: number }>(
  rows: readonly Sums[],
  by: string,
): Sums[] {
  const newer = (a: Sums, b: Sums) => Number(a.name < b.name) - Number(a.name > b.name);
  return rows.toSorted(isPeriod(by) ? newer : (a, b) => b.served - a.served);
}
