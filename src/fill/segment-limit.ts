/**
 * Owns the size of a Segment: small where a lane starts somewhere new (a lost lane or a short read wastes little), growing
 * while it goes on, small again near the end and when more readers wait than there are lanes. Pure.
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import type { FillPolicy } from "./fill-policy.ts";

/** Never smaller than this: below it a request costs more than it brings. */
const SMALLEST = 64 * 1024;

export type Load = {
  /** The lane's previous segment, if it has one. */
  readonly previous: ByteRange | undefined;
  /** Bytes of the blob that are neither present nor claimed. */
  readonly free: number;
  /** Lanes that this fill may use. */
  readonly lanes: number;
  readonly waits: number;
  /** Bytes per millisecond that one lane brings; 0 while unknown. */
  readonly laneRate: number;
};

/**
 * Whole bytes that a segment which starts at `start` may have. A lane grows its segments while it goes on, also where other
 * lanes took the bytes in between; it starts small again only where a reader has turned up (`isWaitedFor`).
 */
export function segmentLimit(start: number, isWaitedFor: boolean, load: Load, policy: FillPolicy): number {
  const { previous } = load;
  const goesOn = previous !== undefined && (!isWaitedFor || previous.end === start);
  const grown = goesOn ? 2 * (previous.end - previous.start) : policy.firstSegment;
  // Half a fair share of what is left, so that all lanes finish at about the same time: without it the last lane of a
  // slow upstream works alone on a segment as large as everything before it.
  const share = Math.max(policy.firstSegment, Math.ceil(load.free / (2 * load.lanes)));
  const limit = Math.min(grown, policy.largestSegment, share, crowdLimit(load, policy));
  // A rate is bytes per millisecond, with a fraction: bytes are whole.
  return Math.max(SMALLEST, Math.floor(limit));
}

/** F17: with more waits than lanes, a lane must come back for the next wait before that one starves. */
function crowdLimit({ waits, lanes, laneRate }: Load, { starveMs, firstSegment }: FillPolicy): number {
  if (waits <= lanes) return Number.POSITIVE_INFINITY;
  if (laneRate === 0) return Math.min(firstSegment, 4 * SMALLEST);
  return (laneRate * starveMs * lanes) / (2 * waits);
}
