/**
 * Owns Claim and Claims: which bytes each lane has reserved, and how fast they arrive. A claim shrinks from its end, never below
 * what its lane has received, so that no received byte is requested twice (F6). It grows only over bytes that its lane has got already, or
 * when its lane is the only one (F15).
 */
import { type ByteRange, contains } from "../bytes/byte-range.ts";

/** How fast one lane is: the time before the first byte of an answer, and the rate after it. */
export type LaneSpeed = { readonly latencyMs: number; readonly bytesPerMs: number };

/** A shorter time measures buffers, not the line. */
const MEASURED_MS = 20;

/** Bytes per millisecond. Lower rates count as this one: a claim that has received nothing has a rate of 0, and is divided by. */
const SLOWEST = 0.001;

export class Claim implements ByteRange {
  readonly start: number;
  /** When it was claimed, of the clock's `elapsed`. */
  readonly claimedAt: number;
  #end: number;
  #at: number;
  /** When its first bytes came, and how many they were. */
  #first: { readonly at: number; readonly bytes: number } | undefined;

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

  received(bytes: number, now: number): void {
    this.#first ??= { at: now, bytes };
    this.#at += bytes;
  }

  /** Bytes per millisecond since the first bytes came; undefined while that is too short a time to measure. */
  bodyRate(now: number): number | undefined {
    if (this.#first === undefined || now - this.#first.at < MEASURED_MS) return undefined;
    return (this.#at - this.start - this.#first.bytes) / (now - this.#first.at);
  }

  /** Gives up everything from `offset` on; the lane stops there. */
  shrink(offset: number): void {
    this.#end = Math.min(this.#end, Math.max(this.#at, offset));
  }

  /** Adds the bytes up to `end`, which no other claim has: what has come of them, or what a range-blind origin sends anyway (F15). */
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

/** What a slow lane has left is divided only if it would take longer than this, and if each half has at least SPLIT_AT_LEAST bytes. */
const SPLIT_AFTER_MS = 2_000;
const SPLIT_AT_LEAST = 512 * 1024;
/** Weight of the newest claim in the measured speed. */
const NEWEST = 0.3;

export class Claims {
  readonly #claims = new Set<Claim>();
  #speed: LaneSpeed | undefined;

  list(): readonly Claim[] {
    return [...this.#claims];
  }

  /** The claim that holds the byte at `offset`. */
  covering(offset: number): Claim | undefined {
    for (const claim of this.#claims) if (contains(claim, offset)) return claim;
    return undefined;
  }

  get count(): number {
    return this.#claims.size;
  }

  /** How many of `places` no claim holds, equal ones once: crowds often wait at one byte. */
  uncovered(places: Iterable<ByteRange>): number {
    const starts = new Set<number>();
    for (const { start } of places) if (this.covering(start) === undefined) starts.add(start);
    return starts.size;
  }

  /** Adds to `claim` what follows it, up to `end` at most and to the next claim. */
  widen(claim: Claim, end: number): void {
    const next = this.list().filter((other) => other !== claim && other.end > claim.end);
    claim.extend(Math.min(end, ...next.map(({ start }) => start)));
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
    this.#claims.delete(claim);
    // A claim that ended early does not show how fast its lane was.
    if (claim.remaining > 0 || claim.at === claim.start) return;
    const known = this.#speed;
    const newest = speedOf(claim, now, known);
    this.#speed = known === undefined ? newest : mix(known, newest);
  }

  /** The speed of one lane: the mean of finished claims, weighted to the newest; before any finished, the slowest claim that has begun. */
  laneSpeed(now: number): LaneSpeed | undefined {
    if (this.#speed !== undefined) return this.#speed;
    const begun = this.list().filter((claim) => claim.at > claim.start);
    const speeds = begun.map((claim) => speedOf(claim, now));
    return speeds.sort((a, b) => a.bytesPerMs - b.bytesPerMs)[0];
  }

  /**
   * Takes from the slowest lane the second half of what it has left, for an idle lane to fetch; undefined when all lanes will finish soon.
   * Without this the last part of a download is slow (ollama/ollama#1736). A lane without a first byte has no speed yet: that its answer is
   * late does not show that its body is slow, and what the origin sends of it would be lost. pace.ts ends it where a reader starves for it.
   */
  splitSlowest(now: number): ByteRange | undefined {
    let slowest: Claim | undefined;
    let longestMs = SPLIT_AFTER_MS;
    for (const claim of this.#claims) {
      const leftMs = claim.msUntil(claim.end, now);
      const isMeasured = claim.at > claim.start && now - claim.claimedAt > SPLIT_AFTER_MS / 2;
      if (isMeasured && claim.remaining >= 2 * SPLIT_AT_LEAST && leftMs > longestMs) {
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

/** Where a body was too short to measure its rate, the `known` rate is used. */
function speedOf(claim: Claim, now: number, known?: LaneSpeed): LaneSpeed {
  const bytesPerMs = claim.bodyRate(now) ?? known?.bytesPerMs ?? claim.rate(now);
  const bodyMs = (claim.at - claim.start) / Math.max(bytesPerMs, SLOWEST);
  return { bytesPerMs, latencyMs: Math.max(0, now - claim.claimedAt - bodyMs) };
}

function mix(known: LaneSpeed, newest: LaneSpeed): LaneSpeed {
  const mixed = (before: number, now: number) => before * (1 - NEWEST) + now * NEWEST;
  return {
    bytesPerMs: mixed(known.bytesPerMs, newest.bytesPerMs),
    latencyMs: mixed(known.latencyMs, newest.latencyMs),
  };
}
