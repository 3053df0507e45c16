/**
 * Owns what the lab of the pictures did before: sums of traffic for a year, and the pulls of the last two days, made up and written to the
 * records of a storage directory that no Granary has open. The same each time, but for the day on which it ends.
 */
import { openDatabase } from "../../../src/metadata/database.ts";
import type { PullRow } from "../../../src/metadata/pull-rows.ts";
import type { TrafficDelta } from "../../../src/metadata/traffic-rows.ts";
import type { TrafficSums } from "../../../src/metadata/traffic-sums.ts";
import { hourOf } from "../../../src/records/local-time.ts";
import { seededRandom } from "../../simulation/seeded-random.ts";
import { IMAGES, MACHINES, MODEL_MACHINES } from "./lab-names.ts";

const HOUR_MS = 3_600_000;
const HOURS_BEFORE = 45 * 24;
const MONTHS_BEFORE = 11;
const LAST_PULLS = 36;

export async function writeHistory(database: string, addressOf: (machine: number) => string): Promise<void> {
  const { records, close } = openDatabase(database);
  const now = Date.now();
  const traffic = [...months(now), ...hours(now, addressOf)];
  records.write({ events: [], pulls: lastPulls(now, addressOf), traffic, endedUpTo: 0 });
  await close();
}

/** How busy an hour of a lab is: nobody at night, few at the weekend. */
function busy(at: Date): number {
  const hour = at.getHours();
  const ofDay = hour < 7 || hour > 20 ? 0.06 : 1 - Math.abs(hour - 13.5) / 9;
  return ofDay * (at.getDay() % 6 === 0 ? 0.45 : 1);
}

function* hours(now: number, addressOf: (machine: number) => string): Generator<TrafficDelta> {
  const random = seededRandom(7);
  for (let back = HOURS_BEFORE; back >= 1; back -= 1) {
    const at = new Date(now - back * HOUR_MS);
    const hour = hourOf(at.getTime());
    const all = { served: 0, fetched: 0, pulls: 0, hits: 0, misses: 0 };
    for (const { upstream, repository, megabytes, weight } of IMAGES) {
      const pulls = Math.round(weight * busy(at) * 4 * random());
      if (pulls === 0) continue;
      const isNew = random() < 0.07;
      const sums = sumsOf(pulls, megabytes * 1e6, isNew ? 1 : 0);
      for (const name of ["served", "fetched", "pulls", "hits", "misses"] as const) all[name] += sums[name];
      yield { hour, upstream, repository, sums };
    }
    for (const [index, { share }] of MACHINES.entries())
      yield {
        hour,
        client: addressOf(index),
        sums: scaled(all, share * (0.7 + 0.6 * random())),
      };
  }
}

/** Before the hours begin. */
function* months(now: number): Generator<TrafficDelta> {
  const random = seededRandom(11);
  for (let back = MONTHS_BEFORE; back >= 2; back -= 1) {
    const at = new Date(now);
    at.setDate(1);
    at.setMonth(at.getMonth() - back);
    for (const { upstream, repository, megabytes, weight } of IMAGES) {
      const pulls = Math.round(weight * (120 + 90 * random()) * (1 - back / 16));
      yield {
        hour: hourOf(at.getTime()),
        upstream,
        repository,
        sums: sumsOf(pulls, megabytes * 1e6, pulls * 0.06),
      };
    }
  }
}

function sumsOf(pulls: number, size: number, fetches: number): TrafficSums {
  const misses = Math.ceil(fetches);
  return {
    served: Math.round(pulls * size),
    fetched: Math.round(fetches * size),
    pulls,
    hits: pulls * 6,
    misses,
  };
}

function scaled(sums: TrafficSums, part: number): TrafficSums {
  const { served, fetched, pulls, hits, misses } = sums;
  return {
    served: Math.round(served * part),
    fetched: Math.round(fetched * part),
    pulls: Math.round(pulls * part),
    hits: Math.round(hits * part),
    misses: Math.round(misses * part),
  };
}

function lastPulls(now: number, addressOf: (machine: number) => string): PullRow[] {
  const random = seededRandom(13);
  return Array.from({ length: LAST_PULLS }, (_, index) => {
    const { upstream, repository, tag, megabytes, isModel } =
      IMAGES[Math.floor(random() * IMAGES.length)] ?? IMAGES[0];
    const [first, second] = MODEL_MACHINES;
    const machine = isModel ? (random() < 0.6 ? first : second) : Math.floor(random() * first);
    const tookMs = Math.round(megabytes * (8 + 20 * random()));
    const begunAt = now - (LAST_PULLS - index) * 0.7 * HOUR_MS - Math.round(0.5 * HOUR_MS * random());
    const bytes = megabytes * 1_000_000;
    return {
      id: index + 1,
      upstream,
      repository,
      tag,
      digest: null,
      platform: isModel ? null : "linux/amd64",
      client: addressOf(machine),
      agent: MACHINES[machine]?.kind ?? "docker",
      state: "done",
      begunAt,
      endedAt: begunAt + tookMs,
      tookMs,
      served: bytes,
      size: bytes,
      blobs: 6,
      hits: 6,
      misses: 0,
      isRepeated: 0,
      reason: null,
    };
  });
}
