/**
 * Owns the look at what would be evicted next, in the janitor's order: only the first few, and without writing anything, so that who watches
 * costs nothing. It removes nothing.
 */
import type { Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import { Slices } from "../../waiting/slices.ts";
import { coldest } from "./coldest.ts";
import type { Look } from "./disk-measure.ts";
import type { Victim } from "./janitor.ts";
import type { IdlePartial } from "./ledger.ts";
import type { Pins } from "./pins.ts";

type Parts = {
  readonly metadata: Metadata;
  readonly isKept: (digest: Digest) => Promise<boolean>;
  readonly pins: Pick<Pins, "has">;
  readonly clock: Clock;
};

/** Where so many of the coldest are kept or being read, nobody looks further: then fewer are told. */
const MOST_LOOKED_AT = 1_000;

/** At most `count`. Last uses of the last second may be missing. Throws what Metadata throws when it cannot be read. */
export async function goNext(
  { metadata, isKept, pins, clock }: Parts,
  { damaged }: Pick<Look, "damaged">,
  idle: readonly IdlePartial[],
  count: number,
): Promise<Victim[]> {
  const victims: Victim[] = damaged
    .filter(({ isFile }) => isFile)
    .slice(0, count)
    .map(({ name, size }) => ({ kind: "damaged", name, size }));
  const slices = new Slices(clock);
  let looked = 0;
  if (victims.length === count) return victims;
  for await (const candidate of coldest(metadata, idle, clock.now())) {
    if (!pins.has(candidate.digest) && !(await isKept(candidate.digest))) victims.push(candidate);
    if (victims.length === count || ++looked === MOST_LOOKED_AT) break;
    await slices.breathe();
  }
  return victims;
}
