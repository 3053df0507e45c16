/**
 * Owns the plan of the lanes of one fill of a known size: how many may run, what each claims next, how urgent that is, and which must give
 * something up so that no reader starves (F17). It brings together what readers wait for, what the line takes and what limits of bandwidth leave;
 * next-segment.ts and pace.ts decide by that. It starts and ends no lane, and asks no origin for bytes: lanes.ts does.
 */
import { type ByteRange, contains } from "../bytes/byte-range.ts";
import type { Clock } from "../observe/clock.ts";
import type { WantedFor } from "../origin.ts";
import type { Purpose } from "../purpose.ts";
import { type Claim, Claims } from "./claims.ts";
import type { Content } from "./content.ts";
import type { FillPolicy } from "./fill-policy.ts";
import type { Lane } from "./lane.ts";
import type { LineState } from "./line-state.ts";
import { allowedBytes, type Demand, type Load, nextSegment, segmentLimit, turnMs } from "./next-segment.ts";
import { keepPace } from "./pace.ts";

export type LanePlanParts = {
  /** Bytes. */
  readonly size: number;
  readonly policy: FillPolicy;
  /** What the whole fill is wanted for at this moment. */
  readonly purpose: () => Purpose;
  readonly content: Content;
  readonly line: LineState;
  readonly clock: Clock;
};

export class LanePlan {
  readonly #parts: LanePlanParts;
  readonly claims = new Claims();
  /** The origin answers every range with the whole blob: from now on one lane reads all of it (F15). */
  isRangeBlind = false;

  constructor(parts: LanePlanParts) {
    this.#parts = parts;
  }

  /** Lanes that may run now. */
  get limit(): number {
    return this.isRangeBlind ? 1 : this.#parts.line.limit;
  }

  /** Of these, the ones that do not rest after a failure. */
  get awake(): number {
    return this.isRangeBlind ? 1 : this.#parts.line.awake;
  }

  /** The next claim of a lane that just finished `previous`, or of a new one, while `running` lanes run. undefined: nothing is left for it. */
  claim(previous: Claim | undefined, running: number): Claim | undefined {
    const { size, content } = this.#parts;
    const claims = this.claims.list();
    if (this.isRangeBlind && claims.length > 0) return undefined;
    const now = this.#now;
    const limitAt = this.#limitFor(previous, now);
    const demand = this.#demand(previous, running);
    const range = nextSegment(size, content.present, claims, demand, limitAt) ?? this.#split(now);
    return range === undefined ? undefined : this.claims.take(range, now);
  }

  /** Adds to `claim` what follows it and what nobody has or fetches, up to `end`. */
  widen(claim: Claim, end: number): void {
    const { content, size } = this.#parts;
    this.claims.widen(claim, content.present.nextStart(claim.end, Math.min(end, size)));
  }

  /** What the bytes of `claim` are wanted for. In a client's fill, claims that somebody waits for are more urgent than those that read ahead. */
  wantedFor(claim: Claim): WantedFor {
    const purposeOf = () => this.#purposeOf(claim);
    return {
      get purpose() {
        return purposeOf();
      },
    };
  }

  /** Shortens claims for which readers would wait too long, and returns the lanes that are to end; see pace.ts. */
  keepPace(lanes: readonly Lane[]): ReturnType<typeof keepPace> {
    const { line, policy, content } = this.#parts;
    return keepPace({
      now: this.#now,
      servedAt: line.servedAt,
      starveMs: policy.starveMs,
      waits: content.waits.pressing,
      claims: this.claims,
      lanes,
      most: this.limit,
      turnMs: this.#turnMs,
      isCrowded: (line.origin?.crowd?.queued ?? 0) > 0,
    });
  }

  get #now(): number {
    return this.#parts.clock.elapsed();
  }

  #purposeOf(claim: Claim): Purpose {
    const { content, purpose } = this.#parts;
    const wanted = purpose();
    if (wanted !== "waited") return wanted;
    const isWaitedFor = [...content.waits.pressing].some(({ start }) => contains(claim, start));
    return isWaitedFor ? wanted : "ahead";
  }

  /**
   * New lanes read ahead only as bytes come in, so that a client that reads only a few bytes costs little. A range-blind origin is read from
   * the first gap on, wherever readers wait.
   */
  #demand(previous: Claim | undefined, running: number): Demand {
    const { line, content } = this.#parts;
    if (this.isRangeBlind) return { waits: [], readAhead: true, complete: true };
    const readAhead = previous !== undefined || running <= line.ramp;
    return { waits: content.waits, readAhead, complete: content.isWanted };
  }

  #limitFor(previous: ByteRange | undefined, now: number): (start: number, isWaitedFor: boolean) => number {
    const { size, policy } = this.#parts;
    if (this.isRangeBlind) return () => size;
    const load = this.#load(previous, now);
    return (start, isWaitedFor) => segmentLimit(start, isWaitedFor, load, policy);
  }

  #load(previous: ByteRange | undefined, now: number): Load {
    const { size, content } = this.#parts;
    return {
      previous,
      free: size - content.present.total - this.claims.remaining,
      lanes: this.limit,
      speed: this.claims.laneSpeed(now),
      turnMs: this.#turnMs,
      allowed: this.#allowed,
    };
  }

  /** At how many places readers of this fill need a lane, those being served included. */
  get #places(): number {
    return this.claims.uncovered(this.#parts.content.waits.pressing) + this.claims.count;
  }

  /** How long a lane may stay at one place, because readers of this fill wait for the lane, or other fills for its connection. */
  get #turnMs(): number | undefined {
    const { starveMs } = this.#parts.policy;
    const crowd = this.#parts.line.origin?.crowd;
    const line = crowd && turnMs(crowd.most + crowd.queued, crowd.most, starveMs);
    const own = turnMs(this.#places, this.limit, starveMs);
    return line === undefined || own === undefined ? (own ?? line) : Math.min(own, line);
  }

  /** Bytes; all transfers under one limit count, since they wait for each other. */
  get #allowed(): number | undefined {
    const { allowance } = this.#parts.line.origin ?? {};
    if (allowance === undefined) return undefined;
    const places = Math.max(this.#places, allowance.waiting);
    return allowedBytes(allowance.bytesPerMs, places, this.#parts.policy.starveMs);
  }

  #split(now: number): ByteRange | undefined {
    const isWaitedFor = this.#parts.content.waits.count > 0;
    return isWaitedFor && !this.isRangeBlind ? this.claims.splitSlowest(now) : undefined;
  }
}
