/**
 * Owns the scheduling decision of the engine: which bytes a lane fetches next. Pure: it takes values and returns a range. It must never
 * depend on time, state or the order of calls.
 */
import { type ByteRange, byteRange } from "../bytes/byte-range.ts";
import type { RangeSet } from "../bytes/range-set.ts";
import type { LaneSpeed } from "./claims.ts";
import type { FillPolicy } from "./fill-policy.ts";

/** What a parked reader needs: the byte at `start`, and after it what follows up to `end`. */
export type Wanted = ByteRange & {
  /** The ranges that its client wants after this one, if it has named them; the bytes between them are then not fetched for it. */
  readonly ahead?: readonly ByteRange[] | undefined;
};

/** What is wanted of the blob at the moment. */
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
  /** Undefined while unknown. */
  readonly speed: LaneSpeed | undefined;
  /** How long the lane may stay where it starts, ms: see `turnMs`. */
  readonly turnMs: number | undefined;
  /** The most bytes that a limit of bandwidth leaves for one request; undefined where there is no limit. */
  readonly allowed?: number | undefined;
};

/** The smallest segment when there are enough lanes: below this the request costs more than the bytes. */
const SMALLEST = 64 * 1024;
/**
 * The smallest segment when lanes take turns, where the line allows it. In smaller ones nearly all the time is latency; they measure as slow,
 * which would make the next ones smaller still.
 */
const SMALLEST_TURN = 32 * 1024;
/** The smallest segment on very slow lines: with anything larger a reader would starve. */
const SMALLEST_OF_ALL = 4 * 1024;
/** The part of starveMs in which each place has had its turn. The rest is reserve for requests that take longer than expected. */
const TURNS = 0.5;
/** How many times its planned length a turn may take before a reader starves, with some reserve. */
const LONGEST_TURN = 0.8 / TURNS;
/** Under a limit of bandwidth: the most that one request takes of it at once, in time, and the least, in bytes. */
const ALLOWED_MS = 1_000;
const LEAST_ALLOWED = 32;
/** The length of a segment near the end of a blob. Shorter ones waste time on requests; longer ones keep the other lanes idle at the end. */
const LAST_MS = 500;

/**
 * The next Segment, or undefined when there is nothing to do. In order:
 * 1. the oldest wait whose offset no claim covers: start there;
 * 2. else the first free gap ahead of the oldest wait that has one;
 * 3. else, if the blob is to be completed, the first free gap from 0.
 *
 * A segment ends at the nearest of: `limitAt(start, isWaitedFor)` bytes (`isWaitedFor` is true under rule 1), the next present byte, the
 * next claim, the end of the blob (F6), and the end of the wanted range if its client has named the ranges that it wants.
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

/** Rules 2 and 3: where the segment starts, and the furthest place where it may end. */
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
 * The most bytes (a whole number) for a segment that starts at `start`. The segments of a lane grow as it works through the blob, even if
 * other lanes took the bytes in between. They start small again when the lane jumps to a reader that waits elsewhere (`isWaitedFor`).
 */
export function segmentLimit(start: number, isWaitedFor: boolean, load: Load, policy: FillPolicy): number {
  const limit = unlimitedSegment(start, isWaitedFor, load, policy);
  return Math.min(limit, load.allowed ?? limit);
}

/**
 * F17 under a limit of bandwidth: the most bytes of one request, so that each of `places` that wait for bytes gets its turn within starveMs, and
 * nobody takes more than a second's worth at once. Below LEAST_ALLOWED the headers of a request would be most of it.
 */
export function allowedBytes(bytesPerMs: number, places: number, starveMs: number): number {
  const ms = Math.min(ALLOWED_MS, (starveMs * TURNS) / Math.max(1, places));
  return Math.max(LEAST_ALLOWED, Math.floor(bytesPerMs * ms));
}

function unlimitedSegment(start: number, isWaitedFor: boolean, load: Load, policy: FillPolicy): number {
  const { previous, speed, turnMs } = load;
  const goesOn = previous !== undefined && (!isWaitedFor || previous.end === start);
  // If the previous segment only filled a small gap, the next one is not small because of that.
  const grown = Math.max(policy.firstSegment, goesOn ? 2 * (previous.end - previous.start) : 0);
  const limit = Math.max(SMALLEST, Math.min(grown, policy.largestSegment, shareOf(load, policy)));
  if (turnMs === undefined) return Math.floor(limit);
  const turn = speed === undefined ? SMALLEST : turnBytes(speed, turnMs);
  // A rate has a fraction, and a number of bytes must not.
  return Math.floor(Math.min(limit, turn));
}

/**
 * F17: how long a lane may stay at one place when readers wait at `crowd` places (those being served included) and `lanes` lanes serve them,
 * so that each place gets its turn well within starveMs. undefined when there are enough lanes.
 */
export function turnMs(crowd: number, lanes: number, starveMs: number): number | undefined {
  return crowd <= lanes ? undefined : (starveMs * TURNS * lanes) / crowd;
}

/**
 * Half of the lane's share of what is left, so that all lanes finish at about the same time. Otherwise one lane of a slow upstream could end
 * up alone with a segment as large as all that was fetched before.
 */
function shareOf({ free, lanes, speed }: Load, { firstSegment }: FillPolicy): number {
  const least = speed === undefined ? firstSegment : Math.min(firstSegment, speed.bytesPerMs * LAST_MS);
  return Math.max(least, free / (2 * lanes));
}

/**
 * The bytes that fit into a turn after the wait for the first byte. If that wait takes up the whole turn, half as long again is allowed for
 * the bytes, since less would hardly save time.
 */
function turnBytes({ latencyMs, bytesPerMs }: LaneSpeed, turnMs: number): number {
  const bytes = bytesPerMs * Math.max(turnMs - latencyMs, latencyMs / 2);
  // What fits if each turn takes as long as it may before a reader starves.
  const most = bytesPerMs * turnMs * LONGEST_TURN;
  return Math.max(bytes, SMALLEST_OF_ALL, Math.min(SMALLEST_TURN, most));
}
