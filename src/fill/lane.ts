/**
 * Owns one Lane, and the rules by which an Origin's answer becomes bytes of a blob. A lane opens the claimed range and streams it into the
 * Content up to the end of the claim, which may shrink meanwhile. It never chooses what to fetch, never retries, and knows no reader.
 */
import { type ByteRange, formatRange } from "../bytes/byte-range.ts";
import { GranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import type { OpenedRange, Origin, WantedFor } from "../origin.ts";
import type { Claim } from "./claims.ts";
import { Gather } from "./gather.ts";

/** How much a lane takes at most beyond the end of a claim that was cut, of what has come already: on a fast line that is always something. */
const MOST_AFTER_END = 1024 * 1024;

/** One worker of a Fill. Its signal is its own: no client's ever reaches it (F5). */
export class Lane {
  readonly #abort = new AbortController();
  /** What it is fetching; undefined between two claims. */
  claim: Claim | undefined;
  /** Where it fetches from. */
  origin: Origin | undefined;
  wantedFor: WantedFor | undefined;
  /** When it last received bytes, of the clock's `elapsed`; undefined before the first. */
  servedAt: number | undefined;
  /** Bytes received so far. */
  brought = 0;
  /** Settles when it has ended and everything that it received is written. Never rejects. */
  done: Promise<void> = Promise.resolve();

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** It waits for our own limits of bandwidth, so that no bytes come shows nothing of the line. */
  get isHeld(): boolean {
    return this.wantedFor !== undefined && this.origin?.holds?.(this.wantedFor) === true;
  }

  /** Stops it; what it has received is still written. */
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
  readonly wantedFor: WantedFor;
  /** Resolves when the bytes can be read back. */
  readonly write: (offset: number, chunks: readonly Uint8Array[]) => Promise<void>;
  /** Called when `range` is written, so that it can be marked. */
  readonly arrived: (range: ByteRange) => void;
  /** Called when the origin answered 200 to a range: true when `claim` may use the body from its start on (F15). */
  readonly goBlind: () => Promise<boolean>;
  /** Adds to `claim` what follows it, up to `end` and as far as nobody else has it: those bytes have come already. */
  readonly widen: (end: number) => void;
};

/** What readers were told of the blob. Without a size, any size is right. */
export type BlobFacts = { readonly digest: Digest; readonly size: number | undefined };

/**
 * Streams the rest of `claim`. Returns when all of it is present. Throws what the origin or the disk threw, `size-mismatch` when the origin
 * states another size than readers were told, and `upstream-unavailable` when a body was too short. When it throws, what was received before
 * the failure is present.
 */
export async function streamClaim(work: LaneWork): Promise<void> {
  const { claim, origin, signal } = work;
  while (claim.remaining > 0) {
    const range = { start: claim.at, end: claim.end };
    const opened = await openChecked(origin, range, work.blob, signal, work.wantedFor);
    if (opened.rangeBlind && !(await orDismiss(opened, work.goBlind))) return;
    await receive(opened, work);
  }
}

/**
 * Asks for `range` and checks the answer: the blob has the size that readers were told, and the body begins at `range.start`, unless the
 * origin is range-blind. An answer that cannot be used is dismissed, which ends its connection. Throws what `open` throws, `size-mismatch`,
 * `upstream-protocol`.
 */
export async function openChecked(
  origin: Origin,
  range: ByteRange,
  blob: BlobFacts,
  signal: AbortSignal,
  wantedFor: WantedFor,
): Promise<OpenedRange> {
  const opened = await origin.open(range, signal, wantedFor);
  await orDismiss(opened, async () => {
    checkSize(opened, origin, blob);
    if (!opened.rangeBlind) checkStart(opened, origin, range);
    return true;
  });
  return opened;
}

/**
 * Makes a function that is given the chunks of a body in order, and returns the wanted part of each: without the first `skip` bytes of the
 * body, and at most `most` bytes of a chunk.
 */
export function cutter(skip: number): (chunk: Uint8Array, most: number) => Uint8Array {
  let left = skip;
  return (chunk, most) => {
    const wanted = chunk.subarray(left, left + most);
    left = Math.max(0, left - chunk.length);
    return wanted;
  };
}

/** Returns what `check` returns. When that is false, or `check` throws, the answer is dismissed. */
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
  let endedAt: number | undefined;
  const cut = cutter(claim.at - opened.range.start);
  try {
    for await (const chunk of opened.body) {
      if (chunk.length > claim.remaining) work.widen(Math.min(claim.at + chunk.length, opened.range.end));
      const wanted = cut(chunk, claim.remaining);
      if (wanted.length > 0) {
        claim.received(wanted.length, clock.elapsed());
        const full = gather.push(wanted);
        if (full !== undefined) await full;
      }
      // No break at the end of the answer: the loop then ends by itself, and the connection can be used again.
      if (claim.remaining > 0 || claim.at >= opened.range.end) continue;
      endedAt ??= claim.at;
      if (claim.at - endedAt >= MOST_AFTER_END || !(await isFollowed(opened, work))) break;
    }
  } finally {
    await gather.flush();
  }
  if (claim.at === before && claim.remaining > 0) throw shortBody(work);
}

/**
 * True when more of the body has come by now, and `claim` has it. Where a claim was cut, or this process was late, that would be lost with the
 * connection and cross the line again.
 */
async function isFollowed(opened: OpenedRange, { claim, signal, widen }: LaneWork): Promise<boolean> {
  if (opened.hasArrived === undefined) return false;
  // What the kernel holds for us is read in one turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  if (signal.aborted || !opened.hasArrived()) return false;
  widen(Math.min(claim.at + 1, opened.range.end));
  return claim.remaining > 0;
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
    `${origin.name} ended its answer at byte ${claim.at} and sent no byte of ${formatRange({ start: claim.at, end: claim.end })}.`,
  );
}
