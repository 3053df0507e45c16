/**
 * Owns the size of a Segment: small where a lane starts somewhere new (a lost lane or a short read wastes little), growing
 * while it goes on, small again near the end and when more is waited for than there are lanes. Pure.
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import type { LaneSpeed } from "./claims.ts";
import type { FillPolicy } from "./fill-policy.ts";

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
