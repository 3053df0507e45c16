/**
 * Owns one Lane, and the rules by which an Origin's answer becomes bytes of a blob: it opens the claimed range and streams it into the
 * Content, no further than the claim, which may shrink meanwhile. It never chooses what to fetch, never retries, and knows no reader.
 */
import { type ByteRange, formatRange } from "../bytes/byte-range.ts";
import { GranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import type { OpenedRange, Origin } from "../origin.ts";
import type { Claim } from "./claims.ts";
import { Gather } from "./gather.ts";

/** One worker of a Fill. Its signal is its own: no client's ever reaches it (F5). */
export class Lane {
  readonly #abort = new AbortController();
  /** What it is fetching; undefined between two claims. */
  claim: Claim | undefined;
  /** Where it fetches from. */
  origin: Origin | undefined;
  /** When bytes of its came last, of the clock's `elapsed`; undefined before the first. */
  servedAt: number | undefined;
  /** Bytes that it brought so far. */
  brought = 0;
  /** Settles when it has ended and everything that it received is written. Never rejects. */
  done: Promise<void> = Promise.resolve();

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** What it received is still written. */
  end(): void {
    this.#abort.abort();
  }
}

export type LaneWork = {
  readonly blob: BlobFacts;
  readonly origin: Origin;
  readonly claim: Claim;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Resolves when the bytes can be read back. */
  readonly write: (offset: number, chunks: readonly Uint8Array[]) => Promise<void>;
  /** `range` was written: it is to be marked. */
  readonly arrived: (range: ByteRange) => void;
  /** The origin answered 200 to a range: resolves true when `claim` may take the body from its start on (F15). */
  readonly goBlind: () => Promise<boolean>;
};

/** What was promised to readers; without a size everything is right. */
export type BlobFacts = { readonly digest: Digest; readonly size: number | undefined };

/**
 * Streams `claim` from where it stands to its end. Returns when it is all present; throws what the origin or the disk threw,
 * `size-mismatch` when the origin's total is not the size that readers were promised, `upstream-unavailable` on a short body.
 * What was received before a failure is present when it throws.
 */
export async function streamClaim(work: LaneWork): Promise<void> {
  const { claim, origin, signal } = work;
  while (claim.remaining > 0) {
    const opened = await openChecked(origin, { start: claim.at, end: claim.end }, work.blob, signal);
    if (opened.rangeBlind && !(await orDismiss(opened, work.goBlind))) return;
    await receive(opened, work);
  }
}

/**
 * An answer that can be used from `range.start` on: the blob has the size that was promised, and the body begins where it was asked to
 * unless the origin says that it cannot. One that cannot be used is dismissed, so that its connection ends. Throws what `open` throws, `size-mismatch`, `upstream-protocol`.
 */
export async function openChecked(
  origin: Origin,
  range: ByteRange,
  blob: BlobFacts,
  signal: AbortSignal,
): Promise<OpenedRange> {
  const opened = await origin.open(range, signal);
  await orDismiss(opened, async () => {
    checkSize(opened, origin, blob);
    if (!opened.rangeBlind) checkStart(opened, origin, range);
    return true;
  });
  return opened;
}

/** Cuts the wanted bytes out of the chunks of a body, one after another: none of the first `skip`, and of each chunk `most` at most. */
export function cutter(skip: number): (chunk: Uint8Array, most: number) => Uint8Array {
  let left = skip;
  return (chunk, most) => {
    const wanted = chunk.subarray(left, left + most);
    left = Math.max(0, left - chunk.length);
    return wanted;
  };
}

/** What `check` says of the answer; where it is false or throws, the answer is dismissed. */
async function orDismiss(opened: OpenedRange, check: () => Promise<boolean>): Promise<boolean> {
  let isUsable = false;
  try {
    isUsable = await check();
    return isUsable;
  } finally {
    if (!isUsable) opened.dismiss();
  }
}

async function receive(opened: OpenedRange, work: LaneWork): Promise<void> {
  const { claim, clock, arrived } = work;
  const gather = new Gather(work, claim.at, clock, arrived);
  const before = claim.at;
  const cut = cutter(claim.at - opened.range.start);
  try {
    for await (const chunk of opened.body) {
      const wanted = cut(chunk, claim.remaining);
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

function checkSize({ size: found }: OpenedRange, { name }: Origin, { digest, size }: BlobFacts): void {
  if (found === undefined || size === undefined || found === size) return;
  const message = `${name} says that ${digest} has ${found} bytes, expected ${size}.`;
  throw new GranaryError("size-mismatch", message, { expected: size, found });
}

function checkStart({ range: found }: OpenedRange, { name }: Origin, asked: ByteRange): void {
  if (found.start === asked.start) return;
  throw new GranaryError(
    "upstream-protocol",
    `${name} answered ${formatRange(found)} when asked for ${formatRange(asked)}.`,
    { expected: asked.start, found: found.start },
  );
}

function shortBody({ origin, claim }: LaneWork): GranaryError {
  return new GranaryError(
    "upstream-unavailable",
    `${origin.name} ended its answer at byte ${claim.at} without one of ${formatRange({ start: claim.at, end: claim.end })}.`,
  );
}
