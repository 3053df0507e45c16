/**
 * Owns one Lane's work on one Segment: open the claimed range at an Origin and stream it into the Partial, no further
 * than the claim (which may shrink meanwhile). It never chooses what to fetch, never retries, and knows no reader.
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import { formatRange } from "../bytes/byte-range.ts";
import { GranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import type { OpenedRange, Origin } from "../origin.ts";
import type { Partial } from "../store/partial.ts";
import type { Claim } from "./claims.ts";
import { Gather } from "./gather.ts";

export type LaneWork = {
  readonly origin: Origin;
  readonly claim: Claim;
  readonly partial: Partial;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Bytes are present-able: written, to be marked. */
  readonly arrived: (range: ByteRange) => void;
  /** The origin answered 200 to a range: resolves true when `claim` may take the body from its start on (F15). */
  readonly goBlind: () => Promise<boolean>;
};

/**
 * Streams `claim` from where it stands to its end. Returns when it is all present; throws what the origin or the disk threw,
 * `size-mismatch` when the origin's total is not the size we promised readers, `upstream-unavailable` on a short body.
 * What was received before a failure is present when it throws.
 */
export async function streamClaim(work: LaneWork): Promise<void> {
  const { claim, origin, signal } = work;
  while (claim.remaining > 0) {
    const opened = await origin.open({ start: claim.at, end: claim.end }, signal);
    if (!(await usable(opened, work))) return;
    await receive(opened, work);
  }
}

/** Whether the answer can be streamed into the claim; an answer that cannot is dismissed, so that its connection ends. */
async function usable(opened: OpenedRange, work: LaneWork): Promise<boolean> {
  let isUsable = false;
  try {
    checkSize(opened, work);
    if (!opened.rangeBlind) checkStart(opened, work);
    isUsable = !opened.rangeBlind || (await work.goBlind());
    return isUsable;
  } finally {
    if (!isUsable) opened.dismiss();
  }
}

async function receive(opened: OpenedRange, work: LaneWork): Promise<void> {
  const { claim, partial, clock, arrived } = work;
  const gather = new Gather(partial, claim.at, clock, arrived);
  const before = claim.at;
  let skip = claim.at - opened.range.start;
  try {
    for await (const chunk of opened.body) {
      const wanted = chunk.subarray(skip, skip + claim.remaining);
      skip = Math.max(0, skip - chunk.length);
      if (wanted.length > 0) {
        claim.received(wanted.length, clock.elapsed());
        const full = gather.push(wanted);
        if (full !== undefined) await full;
      }
      // At the end of the answer the loop ends by itself, and the connection can be used again.
      if (claim.remaining === 0 && claim.at < opened.range.end) break;
    }
  } finally {
    await gather.flush();
  }
  if (claim.at === before && claim.remaining > 0) throw shortBody(work);
}

function checkSize(opened: OpenedRange, { origin, partial }: LaneWork): void {
  if (opened.size === undefined || opened.size === partial.size) return;
  throw new GranaryError(
    "size-mismatch",
    `${origin.name} says that ${partial.digest} has ${opened.size} bytes, its descriptor says ${partial.size}.`,
    { expected: partial.size, found: opened.size },
  );
}

function checkStart(opened: OpenedRange, { origin, claim }: LaneWork): void {
  if (opened.range.start === claim.at) return;
  throw new GranaryError(
    "upstream-protocol",
    `${origin.name} answered ${formatRange(opened.range)} when asked for ${formatRange({ start: claim.at, end: claim.end })}.`,
    { expected: claim.at, found: opened.range.start },
  );
}

function shortBody({ origin, claim }: LaneWork): GranaryError {
  return new GranaryError(
    "upstream-unavailable",
    `${origin.name} ended its answer at byte ${claim.at} without one of ${formatRange({ start: claim.at, end: claim.end })}.`,
  );
}
