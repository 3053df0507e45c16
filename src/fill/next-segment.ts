/**
 * Owns the one scheduling decision of the engine: which bytes a lane fetches next. Pure: it sees values and returns a
 * range; it must never depend on time, state or order of calls.
 */
import { type ByteRange, byteRange } from "../bytes/byte-range.ts";
import type { RangeSet } from "../bytes/range-set.ts";

/** What a parked reader needs: the byte at `start`, and after it what follows up to `end`. */
export type Wanted = ByteRange & {
  /** The ranges after this one, where its client has said that it wants exactly these: what lies between is not fetched for it. */
  readonly ahead?: readonly ByteRange[] | undefined;
};

/** What the lanes should know of the outside when they choose. */
export type Demand = {
  /** Parked readers, oldest first. */
  readonly waits: Iterable<Wanted>;
  /** Fetch bytes that nobody waits for yet: ahead of a wait (rule 2) and, if `complete`, anywhere (rule 3). */
  readonly readAhead: boolean;
  /** The whole blob is wanted. */
  readonly complete: boolean;
};

/**
 * The next Segment, or undefined when there is nothing to do. In order:
 * 1. the oldest wait whose offset no claim covers: start there;
 * 2. else the first free gap ahead of the oldest wait that has one;
 * 3. else, if the blob is to be completed, the first free gap from 0.
 *
 * A segment ends at the nearest of: `limitAt(start, isWaitedFor)` bytes (`isWaitedFor` tells rule 1), the next present byte, the next claim, the blob's end (F6),
 * and the end of the range that it is for, where the reader has said that it wants no more.
 */
export function nextSegment(
  size: number,
  present: RangeSet,
  claims: readonly ByteRange[],
  demand: Demand,
  limitAt: (start: number, isWaitedFor: boolean) => number,
): ByteRange | undefined {
  const waits = [...demand.waits];
  const uncovered = waits.find((wait) => claimAt(claims, wait.start) === undefined);
  const wanted =
    uncovered === undefined ? ahead(size, present, claims, { ...demand, waits }) : boundedBy(uncovered, size);
  if (wanted === undefined) return undefined;
  const { start } = wanted;
  const limit = Math.max(1, limitAt(start, uncovered !== undefined));
  let end = Math.min(start + limit, wanted.end, present.nextStart(start, size));
  for (const claim of claims) {
    if (claim.start >= start) end = Math.min(end, claim.start);
  }
  return byteRange(start, end);
}

/** Rules 2 and 3: from where, and how far at the most. */
function ahead(
  size: number,
  present: RangeSet,
  claims: readonly ByteRange[],
  demand: Demand,
): ByteRange | undefined {
  if (!demand.readAhead) return undefined;
  for (const wait of demand.waits) {
    for (const range of [wait, ...(wait.ahead ?? [])]) {
      const start = firstFree(range, present, claims);
      if (start !== undefined) return { start, end: wait.ahead === undefined ? size : range.end };
    }
  }
  const start = demand.complete ? firstFree({ start: 0, end: size }, present, claims) : undefined;
  return start === undefined ? undefined : { start, end: size };
}

function boundedBy({ start, end, ahead }: Wanted, size: number): ByteRange {
  return { start, end: ahead === undefined ? size : end };
}

/** The first byte of `within` that is neither present nor claimed. */
function firstFree(within: ByteRange, present: RangeSet, claims: readonly ByteRange[]): number | undefined {
  let at = within.start;
  while (at < within.end) {
    const skipped = claimAt(claims, at)?.end ?? present.endOfRunAt(at);
    if (skipped === at) return at;
    at = skipped;
  }
  return undefined;
}

function claimAt(claims: readonly ByteRange[], offset: number): ByteRange | undefined {
  return claims.find((claim) => offset >= claim.start && offset < claim.end);
}
