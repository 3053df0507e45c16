/**
 * Owns the one scheduling decision of the engine: which bytes a lane fetches next. Pure: it sees values and returns a
 * range; it must never depend on time, state or order of calls.
 */
import { type ByteRange, byteRange } from "../bytes/byte-range.ts";
import type { RangeSet } from "../bytes/range-set.ts";
import type { LaneSpeed } from "./claims.ts";
import type { FillPolicy } from "./fill-policy.ts";

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

export type Load = {
  /** The lane's previous segment, if it has one. */
  readonly previous: ByteRange | undefined;
  /** Bytes of the blob that are neither present nor claimed. */
  readonly free: number;
  /** Lanes that this fill may use. */
  readonly lanes: number;
  /** What one lane does; undefined while unknown. */
  readonly speed: LaneSpeed | undefined;
  /** How long the lane may stay where it starts, ms: see `turnMs`. */
  readonly turnMs: number | undefined;
};

/** Never smaller than this: below it a request costs more than it brings. */
const SMALLEST = 64 * 1024;
/** In a crowd smaller ones collapse: short bodies are all latency, which makes the next ones shorter. */
const SMALLEST_TURN = 32 * 1024;
/** Even so: on the slowest lines it is this or a reader that starves. */
const SMALLEST_OF_ALL = 4 * 1024;
/** Part of starveMs in which everybody has had a turn: the rest is for what takes longer than it did last time. */
const TURNS = 0.5;
/** A turn may be so much longer before somebody starves, with a little to spare. */
const LONGEST_TURN = 0.8 / TURNS;
/** What a lane should bring near the end: less makes requests dear, more leaves the other lanes idle while the last one works. */
const LAST_MS = 500;

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

/**
 * Whole bytes that a segment which starts at `start` may have. A lane grows its segments while it goes on, also where other
 * lanes took the bytes in between; it starts small again only where a reader has turned up (`isWaitedFor`).
 */
export function segmentLimit(start: number, isWaitedFor: boolean, load: Load, policy: FillPolicy): number {
  const { previous, speed, turnMs } = load;
  const goesOn = previous !== undefined && (!isWaitedFor || previous.end === start);
  // A segment that only filled a small gap is no reason to go on with small ones.
  const grown = Math.max(policy.firstSegment, goesOn ? 2 * (previous.end - previous.start) : 0);
  const limit = Math.max(SMALLEST, Math.min(grown, policy.largestSegment, shareOf(load, policy)));
  if (turnMs === undefined) return Math.floor(limit);
  const turn = speed === undefined ? SMALLEST : turnBytes(speed, turnMs);
  // A rate is bytes per millisecond, with a fraction: bytes are whole.
  return Math.floor(Math.min(limit, turn));
}

/**
 * F17: how long a lane may stay at one place when `crowd` places are waited for (served ones included) and `lanes` serve them: each
 * gets its turn well within starveMs. undefined where there are lanes enough.
 */
export function turnMs(crowd: number, lanes: number, starveMs: number): number | undefined {
  return crowd <= lanes ? undefined : (starveMs * TURNS * lanes) / crowd;
}

/**
 * Half a fair share of what is left, so that all lanes finish at about the same time: without it the last lane of a slow upstream
 * works alone on a segment as large as everything before it.
 */
function shareOf({ free, lanes, speed }: Load, { firstSegment }: FillPolicy): number {
  const least = speed === undefined ? firstSegment : Math.min(firstSegment, speed.bytesPerMs * LAST_MS);
  return Math.max(least, free / (2 * lanes));
}

/**
 * What fits into a turn beside the wait for the first byte. Where that alone takes the turn, less than half of it more makes no
 * difference.
 */
function turnBytes({ latencyMs, bytesPerMs }: LaneSpeed, turnMs: number): number {
  const bytes = bytesPerMs * Math.max(turnMs - latencyMs, latencyMs / 2);
  // What fits if every turn took as long as starveMs allows at the most.
  const most = bytesPerMs * turnMs * LONGEST_TURN;
  return Math.max(bytes, SMALLEST_OF_ALL, Math.min(SMALLEST_TURN, most));
}
