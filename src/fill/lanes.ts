/**
 * Owns the Lanes at work for one Fill: how many run, what each claims next, what a failed one means, and that no wait
 * starves. The choice of bytes is next-segment.ts's, the streaming lane.ts's, and what the outcome does to the Fill is
 * the Fill's.
 */
import { type ByteRange, lengthOf } from "../bytes/byte-range.ts";
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Origin } from "../origin.ts";
import type { Partial } from "../store/partial.ts";
import { backoffMs, isFinal } from "./backoff.ts";
import { type Claim, Claims } from "./claims.ts";
import type { FillPolicy } from "./fill-policy.ts";
import { streamClaim } from "./lane.ts";
import { type Lane, LanePool } from "./lane-pool.ts";
import { type Demand, nextSegment } from "./next-segment.ts";
import { segmentLimit } from "./segment-limit.ts";
import type { Wait, Waits } from "./waits.ts";

/** What the lanes ask of their Fill, and tell it. */
export interface LanesHost {
  /** The whole blob is wanted, also where nobody waits. */
  readonly isWanted: boolean;
  /** The bytes of `range` are present, and who waited for them has been woken. */
  arrived(range: ByteRange): void;
  /** A lane failed; the lanes go on by themselves unless one of the next two is called. */
  laneFailed(origin: Origin | undefined, error: unknown): void;
  /** The disk had no room. The lanes back off. */
  outOfRoom(): void;
  /** No further try makes sense: `rejected` when what is there cannot be right, else `stalled` (F11). */
  gaveUp(state: "stalled" | "rejected", error: GranaryError): void;
}

/** How often starving waits and slow lanes are looked at. */
const PACE_MS = 250;

export class Lanes {
  readonly #size: number;
  readonly #policy: FillPolicy;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #waits: Waits;
  readonly #host: LanesHost;
  readonly #claims = new Claims();
  readonly #pool = new LanePool();
  #origins: Origin[];
  /** Set while the lanes may work. */
  #partial: Partial | undefined;
  #isRangeBlind = false;
  #failures = 0;
  #received = 0;
  #backingOff: Timer | undefined;
  #pace: Timer | undefined;

  constructor(
    ask: { readonly size: number; readonly policy: FillPolicy; readonly origin: Origin },
    around: { readonly clock: Clock; readonly random: () => number },
    waits: Waits,
    host: LanesHost,
  ) {
    this.#size = ask.size;
    this.#policy = ask.policy;
    this.#origins = [ask.origin];
    this.#clock = around.clock;
    this.#random = around.random;
    this.#waits = waits;
    this.#host = host;
  }

  get count(): number {
    return this.#pool.count;
  }

  /** The origin in use, while any is left. */
  get origin(): Origin | undefined {
    return this.#origins[0];
  }

  /** Another place to get the bytes from, for when the first has them no more. */
  addOrigin(origin: Origin): void {
    if (!this.#origins.some((known) => known.name === origin.name)) this.#origins.push(origin);
  }

  /** From here on the lanes fill `partial`. */
  begin(partial: Partial): void {
    this.#partial = partial;
    this.schedule();
  }

  /** No lane starts any more; resolves when those that ran have written what they had. */
  async stop(): Promise<void> {
    this.#partial = undefined;
    this.#backingOff?.cancel();
    this.#pace?.cancel();
    this.#backingOff = undefined;
    this.#pace = undefined;
    await this.#pool.endAll();
  }

  /** F4: called after every new wait and every lane exit. Starts lanes while there is something for them to do. */
  schedule(): void {
    while (this.#backingOff === undefined && this.#pool.count < this.#limit) {
      const claim = this.#claim(undefined);
      if (claim === undefined) break;
      this.#pool.start(
        (lane) => this.#run(lane, claim),
        (lane, error) => this.#ended(lane, error),
      );
    }
    if (this.#partial !== undefined && this.#waits.count > 0) {
      this.#pace ??= this.#clock.after(PACE_MS, () => this.#keepPace());
    }
  }

  get #limit(): number {
    return this.#size <= this.#policy.smallBlob || this.#isRangeBlind ? 1 : this.#policy.lanes;
  }

  /** The next claim of a lane that just finished `previous`, or of a new one. */
  #claim(previous: Claim | undefined): Claim | undefined {
    const partial = this.#partial;
    const claims = this.#claims.list();
    if (partial === undefined || (this.#isRangeBlind && claims.length > 0)) return undefined;
    const now = this.#clock.elapsed();
    const range =
      nextSegment(
        this.#size,
        partial.present,
        claims,
        this.#demand(previous),
        this.#limitFor(partial, previous, now),
      ) ?? this.#split(now);
    return range === undefined ? undefined : this.#claims.take(range, now);
  }

  /**
   * New lanes read ahead only as bytes come in, so that a probe costs little (ollama.md, line 11). A range-blind origin is
   * read from the first gap on, whoever waits where.
   */
  #demand(previous: Claim | undefined): Demand {
    if (this.#isRangeBlind) return { waits: [], readAhead: true, complete: true };
    const readAhead =
      previous !== undefined || this.#pool.count <= this.#received / this.#policy.firstSegment;
    return { waits: this.#waits, readAhead, complete: this.#host.isWanted };
  }

  #limitFor(
    partial: Partial,
    previous: ByteRange | undefined,
    now: number,
  ): (start: number, isWaitedFor: boolean) => number {
    if (this.#isRangeBlind) return () => this.#size;
    const load = {
      previous,
      free: this.#size - partial.present.total - this.#claims.remaining,
      lanes: this.#limit,
      waits: this.#waits.count,
      laneRate: this.#claims.laneRate(now),
    };
    return (start, isWaitedFor) => segmentLimit(start, isWaitedFor, load, this.#policy);
  }

  #split(now: number): ByteRange | undefined {
    return this.#waits.count > 0 && !this.#isRangeBlind ? this.#claims.splitSlowest(now) : undefined;
  }

  async #run(lane: Lane, first: Claim): Promise<void> {
    let claim: Claim | undefined = first;
    while (claim !== undefined) {
      lane.claim = claim;
      try {
        await this.#stream(lane, claim);
      } finally {
        this.#claims.release(claim, this.#clock.elapsed());
        lane.claim = undefined;
      }
      claim = lane.signal.aborted ? undefined : this.#claim(claim);
    }
  }

  async #stream(lane: Lane, claim: Claim): Promise<void> {
    const [origin] = this.#origins;
    const partial = this.#partial;
    if (origin === undefined || partial === undefined) return;
    lane.origin = origin;
    await streamClaim({
      origin,
      claim,
      partial,
      clock: this.#clock,
      signal: lane.signal,
      arrived: (range) => this.#arrived(partial, range),
      goBlind: () => this.#goBlind(lane, claim, partial),
    });
  }

  /** F3: the bytes are written; mark them, then wake whoever waits for them. F11: progress forgives. */
  #arrived(partial: Partial, range: ByteRange): void {
    partial.present.add(range);
    this.#received += lengthOf(range);
    this.#failures = 0;
    this.#waits.wake(range);
    this.#host.arrived(range);
    // Where nobody waits, nothing else would start the lanes that read ahead.
    if (this.#host.isWanted && this.#pool.count < this.#limit) this.schedule();
  }

  /** F15. True when this lane may go on with its body as the only lane; else the next claim starts from the first gap. */
  async #goBlind(lane: Lane, claim: Claim, partial: Partial): Promise<boolean> {
    if (this.#isRangeBlind && this.#claims.list().length > 1) return false;
    this.#isRangeBlind = true;
    await this.#pool.endAll(lane);
    const gap = partial.present.firstGap({ start: 0, end: this.#size });
    if (lane.signal.aborted || gap === undefined || gap.start !== claim.at) return false;
    claim.extend(gap.end);
    return true;
  }

  #ended(lane: Lane, error: unknown): void {
    if (error !== undefined && !lane.signal.aborted && this.#partial !== undefined)
      this.#failed(lane.origin, error);
    this.schedule();
  }

  #failed(origin: Origin | undefined, error: unknown): void {
    this.#host.laneFailed(origin, error);
    if (isFinal(error, this.#policy.patienceMs)) this.#dropOrigin(origin, error);
    else if (isGranaryError(error, "store-damaged")) this.#host.gaveUp("stalled", error);
    else if (this.#backingOff === undefined) this.#backOff(error);
    if (isGranaryError(error, "store-full")) this.#host.outOfRoom();
  }

  #dropOrigin(origin: Origin | undefined, error: GranaryError): void {
    this.#origins = this.#origins.filter((other) => other !== origin);
    if (this.#origins.length === 0) this.#host.gaveUp("stalled", error);
  }

  /** Failures that come while we wait already are one failure: an upstream's restart cuts every lane at once. */
  #backOff(error: unknown): void {
    this.#failures += 1;
    const reason = isGranaryError(error) ? error : unexpected(error);
    if (reason.code === "size-mismatch" && this.#failures > 1) this.#host.gaveUp("rejected", reason);
    else if (this.#failures >= this.#policy.attempts) this.#host.gaveUp("stalled", reason);
    else
      this.#backingOff = this.#clock.after(
        backoffMs(this.#failures, error, this.#random(), this.#policy.patienceMs),
        () => this.#tryAgain(),
      );
  }

  #tryAgain(): void {
    this.#backingOff = undefined;
    this.schedule();
  }

  /** F17, and the slow tail: a lane that holds others up hands its rest over. */
  #keepPace(): void {
    this.#pace = undefined;
    if (!this.#isRangeBlind) {
      const now = this.#clock.elapsed();
      const hungry = [...this.#waits].filter((wait) => now - wait.parkedAt >= this.#policy.starveMs / 4);
      this.#uncoverFar(hungry, now);
      this.#endStuck(hungry, now);
      if (this.#pool.count >= this.#limit) this.#endLanesFor(hungry);
    }
    this.schedule();
  }

  /** A wait deep inside a claim that will not get there in time is taken out of it, for another lane to serve. */
  #uncoverFar(hungry: readonly Wait[], now: number): void {
    for (const wait of hungry) {
      const claim = this.#claims.covering(wait.start);
      if (claim !== undefined && claim.msUntil(wait.start, now) > this.#policy.starveMs / 4)
        claim.shrink(wait.start);
    }
  }

  /** A body that has begun and brings nothing while somebody waits for it is asked for anew. */
  #endStuck(hungry: readonly Wait[], now: number): void {
    const stuck = hungry.filter((wait) => now - wait.parkedAt >= this.#policy.starveMs / 2);
    for (const lane of this.#pool) {
      const { claim } = lane;
      if (claim === undefined || claim.at === claim.start) continue;
      // What was received and is not written yet is the disk's delay, not the origin's.
      if (stuck.some((wait) => wait.start >= claim.at && wait.start < claim.end)) this.#pool.end(lane);
    }
  }

  #endLanesFor(hungry: readonly Wait[]): void {
    const uncovered = hungry.filter((wait) => this.#claims.covering(wait.start) === undefined);
    const lanes = [...this.#pool].filter(({ claim }) => claim !== undefined && claim.at > claim.start);
    lanes.sort((a, b) => (a.claim?.claimedAt ?? 0) - (b.claim?.claimedAt ?? 0));
    for (const lane of lanes.slice(0, uncovered.length)) this.#pool.end(lane);
  }
}

function unexpected(error: unknown): GranaryError {
  return new GranaryError("upstream-unavailable", `A transfer failed: ${messageOf(error)}`, { cause: error });
}
