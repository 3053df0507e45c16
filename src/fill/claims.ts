/**
 * Owns Claim and Claims: which bytes lanes have taken, and how fast they come. A claim shrinks from its end, never below
 * what its lane has received, so that no received byte is asked for twice (F6); it grows only when it is the last one.
 */
import { type ByteRange, contains } from "../bytes/byte-range.ts";

/** Bytes per millisecond below which nothing is distinguished: a claim that has received nothing has a rate of 0. */
const SLOWEST = 0.001;

export class Claim implements ByteRange {
  readonly start: number;
  /** When it was claimed, of the clock's `elapsed`. */
  readonly claimedAt: number;
  #end: number;
  #at: number;

  constructor({ start, end }: ByteRange, claimedAt: number) {
    this.start = start;
    this.#end = end;
    this.#at = start;
    this.claimedAt = claimedAt;
  }

  get end(): number {
    return this.#end;
  }

  /** The next byte that its lane expects from the origin. */
  get at(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  received(bytes: number): void {
    this.#at += bytes;
  }

  /** Gives up everything from `offset` on; the lane stops there. */
  shrink(offset: number): void {
    this.#end = Math.min(this.#end, Math.max(this.#at, offset));
  }

  /** Takes what follows as well: a range-blind origin sends it anyway, and no other lane is left (F15). */
  extend(end: number): void {
    this.#end = Math.max(this.#end, end);
  }

  /** Bytes per millisecond so far. */
  rate(now: number): number {
    return (this.#at - this.start) / Math.max(1, now - this.claimedAt);
  }

  /** Milliseconds until it gets to `offset` at this rate. */
  msUntil(offset: number, now: number): number {
    return (offset - this.#at) / Math.max(this.rate(now), SLOWEST);
  }
}

/** A slow lane's rest is divided only when it would take longer than this, and is worth a request. */
const SPLIT_AFTER_MS = 2_000;
const SPLIT_AT_LEAST = 1024 * 1024;

export class Claims {
  readonly #claims = new Set<Claim>();
  #lastRate = 0;

  list(): readonly Claim[] {
    return [...this.#claims];
  }

  /** The claim that holds the byte at `offset`. */
  covering(offset: number): Claim | undefined {
    for (const claim of this.#claims) if (contains(claim, offset)) return claim;
    return undefined;
  }

  get remaining(): number {
    let bytes = 0;
    for (const claim of this.#claims) bytes += claim.remaining;
    return bytes;
  }

  take(range: ByteRange, now: number): Claim {
    const claim = new Claim(range, now);
    this.#claims.add(claim);
    return claim;
  }

  release(claim: Claim, now: number): void {
    if (claim.at > claim.start) this.#lastRate = claim.rate(now);
    this.#claims.delete(claim);
  }

  /** Bytes per millisecond of one lane: the last finished one, or the slowest that has begun; 0 while unknown. */
  laneRate(now: number): number {
    if (this.#lastRate > 0) return this.#lastRate;
    const rates = this.list().map((claim) => claim.rate(now));
    return rates.length === 0 ? 0 : Math.min(...rates);
  }

  /**
   * Half of what the slowest lane still has before it, taken from it; undefined when every lane will be done soon. An
   * idle lane that fetches it ends the slow tail that model pullers know (ollama #1736).
   */
  splitSlowest(now: number): ByteRange | undefined {
    let slowest: Claim | undefined;
    let longestMs = SPLIT_AFTER_MS;
    for (const claim of this.#claims) {
      const leftMs = claim.msUntil(claim.end, now);
      const begun = now - claim.claimedAt > SPLIT_AFTER_MS / 2;
      if (begun && claim.remaining >= 2 * SPLIT_AT_LEAST && leftMs > longestMs) {
        slowest = claim;
        longestMs = leftMs;
      }
    }
    if (slowest === undefined) return undefined;
    const end = slowest.end;
    const middle = slowest.at + Math.ceil(slowest.remaining / 2);
    slowest.shrink(middle);
    return { start: middle, end };
  }
}
