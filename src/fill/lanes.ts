/**
 * Owns the Lanes at work for one Fill: how many run, what each claims next, what a failed one means, and that no wait
 * starves. The choice of bytes is next-segment.ts's, the streaming lane.ts's, what a failure means patience.ts's, and what the
 * outcome does to the Fill is the Fill's. Over 300 lines, because starting, failing and giving way change the same few facts.
 */
import { type ByteRange, lengthOf } from "../bytes/byte-range.ts";
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Origin } from "../origin.ts";
import type { Partial } from "../store/partial.ts";
import { FILL_RETRIES } from "../waiting/retry-numbers.ts";
import { type Claim, Claims } from "./claims.ts";
import type { FillPolicy } from "./fill-policy.ts";
import { streamClaim } from "./lane.ts";
import { type Lane, LanePool } from "./lane-pool.ts";
import { LaneRoom } from "./lane-room.ts";
import { type Demand, nextSegment } from "./next-segment.ts";
import { isServed, keepPace } from "./pace.ts";
import { Patience } from "./patience.ts";
import { segmentLimit, turnMs } from "./segment-limit.ts";
import type { Waits } from "./waits.ts";

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
/**
 * A lane more reads ahead for each so many bytes that came, or after each so many milliseconds of a line that is slower: a probe costs
 * little (docs/protocol.md#ollama-probe), and the line is soon used whole.
 */
const RAMP_BYTES = 256 * 1024;
const RAMP_MS = 100;
/** A small blob that takes longer than this from its first byte on is worth more than one connection. */
const SMALL_MS = 1_000;
/** A lane that is cut after so much was worth its connection: the next one is made at once. */
const WORTH_BYTES = 64 * 1024;

export class Lanes {
  readonly #size: number;
  readonly #policy: FillPolicy;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #waits: Waits;
  readonly #host: LanesHost;
  readonly #claims = new Claims();
  readonly #pool = new LanePool();
  readonly #room: LaneRoom;
  #patience: Patience;
  #origins: Origin[];
  /** Set while the lanes may work. */
  #partial: Partial | undefined;
  #isRangeBlind = false;
  #received = 0;
  #pauses = 0;
  /** When the first byte came, and the last one, of the clock's `elapsed`. */
  #begunAt: number | undefined;
  #servedAt: number | undefined;
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
    this.#room = new LaneRoom(ask.policy.lanes);
    this.#patience = new Patience(ask.policy, false);
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
    this.#patience = new Patience(this.#policy, partial.present.total > 0);
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
    while (this.#backingOff === undefined && this.#pool.count < this.#awake) {
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

  /** Lanes that may run now. */
  get #limit(): number {
    // In trouble one lane tries; the others come when it got something.
    if (this.#isRangeBlind || this.#patience.isTrying || this.#isSmall) return 1;
    const line = this.origin?.crowd?.most ?? this.#policy.lanes;
    return Math.max(1, Math.min(this.#room.most(this.#clock.elapsed()), line));
  }

  /** Those of them that do not rest. */
  get #awake(): number {
    return Math.max(1, this.#limit - this.#room.resting(this.#clock.elapsed()));
  }

  get #isSmall(): boolean {
    if (this.#size > this.#policy.smallBlob) return false;
    return this.#begunAt === undefined || this.#clock.elapsed() - this.#begunAt < SMALL_MS;
  }

  /** How long a lane may stay at one place: readers of this fill wait for it, or other fills for its connection. */
  get #turnMs(): number | undefined {
    const { starveMs } = this.#policy;
    const crowd = this.origin?.crowd;
    const line = crowd && turnMs(crowd.most + crowd.queued, crowd.most, starveMs);
    const places = this.#claims.uncovered(this.#waits) + this.#claims.count;
    const own = turnMs(places, this.#limit, starveMs);
    return line === undefined || own === undefined ? (own ?? line) : Math.min(own, line);
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
   * New lanes read ahead only as bytes come in, so that a probe costs little (docs/protocol.md#ollama-probe). A range-blind origin is
   * read from the first gap on, whoever waits where.
   */
  #demand(previous: Claim | undefined): Demand {
    if (this.#isRangeBlind) return { waits: [], readAhead: true, complete: true };
    const readAhead = previous !== undefined || this.#pool.count <= this.#ramp;
    return { waits: this.#waits, readAhead, complete: this.#host.isWanted };
  }

  /** How many lanes may run beside the first to read ahead. */
  get #ramp(): number {
    const sinceMs = this.#begunAt === undefined ? 0 : this.#clock.elapsed() - this.#begunAt;
    return Math.max(this.#received / Math.min(RAMP_BYTES, this.#policy.firstSegment), sinceMs / RAMP_MS);
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
      speed: this.#claims.laneSpeed(now),
      turnMs: this.#turnMs,
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
        lane.brought += claim.at - claim.start;
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
      arrived: (range) => this.#arrived(lane, partial, range),
      goBlind: () => this.#goBlind(lane, claim, partial),
    });
  }

  /** F3: the bytes are written; mark them, then wake whoever waits for them. F11: progress forgives. */
  #arrived(lane: Lane, partial: Partial, range: ByteRange): void {
    partial.present.add(range);
    this.#received += lengthOf(range);
    lane.servedAt = this.#clock.elapsed();
    this.#begunAt ??= lane.servedAt;
    this.#servedAt = lane.servedAt;
    this.#patience.progressed();
    this.#pauses = 0;
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
    if (error !== undefined && !lane.signal.aborted && this.#partial !== undefined) this.#failed(lane, error);
    this.schedule();
  }

  #failed(lane: Lane, error: unknown): void {
    this.#host.laneFailed(lane.origin, error);
    if (isGranaryError(error, "store-damaged")) this.#host.gaveUp("stalled", error);
    else if (isGranaryError(error, "store-full")) {
      this.#backOff(lane, error);
      this.#host.outOfRoom();
    } else if (isGranaryError(error, "upstream-unavailable") && lane.brought >= WORTH_BYTES) return;
    else if (!this.#isMadeUpFor(lane, error)) this.#backOff(lane, error);
  }

  /** One lane's trouble is its own while others are served: the line takes fewer, or this range is not to be had just now. */
  #isMadeUpFor(lane: Lane, error: unknown): boolean {
    const now = this.#clock.elapsed();
    const isServedNow = isServed({ servedAt: this.#servedAt }, now) && !isGranaryError(error, "closed");
    if (this.#pool.count === 0) return isServedNow && isLimit(error) && this.#pause();
    if (!isServedNow) return false;
    if (lane.brought === 0 && isLimit(error)) this.#room.refused(this.#pool.count, now);
    else this.#room.rest(now);
    return true;
  }

  /** All lanes ended at about the same time, and the line has not got over it: a few short pauses come before the judgement. */
  #pause(): boolean {
    this.#pauses += 1;
    if (this.#pauses > FILL_RETRIES.lastLanePauses) return false;
    this.#wait(FILL_RETRIES.lastLanePauseMs);
    return true;
  }

  /** Failures that come while we wait already are one failure: an upstream's restart cuts every lane at once. */
  #backOff(lane: Lane, error: unknown): void {
    if (this.#backingOff !== undefined) return;
    const origin = lane.origin?.name ?? "";
    const judged = { error, origin, now: this.#clock.elapsed(), random: this.#random() };
    const judgement = this.#patience.judge(judged);
    this.#room.forget();
    if (judgement.next === "again") this.#wait(judgement.afterMs);
    else if (judgement.next === "elsewhere") this.#dropOrigin(lane.origin, error);
    else this.#host.gaveUp(judgement.state, asGranaryError(error));
  }

  #wait(ms: number): void {
    if (this.#backingOff !== undefined) return;
    // What one origin lacks just now another may have.
    const [first, ...others] = this.#origins;
    if (first !== undefined) this.#origins = [...others, first];
    this.#backingOff = this.#clock.after(ms, () => this.#tryAgain());
  }

  #dropOrigin(origin: Origin | undefined, error: unknown): void {
    this.#origins = this.#origins.filter((other) => other !== origin);
    if (this.#origins.length > 0) this.#patience.movedOn();
    else this.#host.gaveUp("stalled", asGranaryError(error));
  }

  #tryAgain(): void {
    this.#backingOff = undefined;
    this.schedule();
  }

  /** F17, and the slow tail: a lane that holds others up hands its rest over. */
  #keepPace(): void {
    this.#pace = undefined;
    if (!this.#isRangeBlind) this.#endSlow();
    this.schedule();
  }

  #endSlow(): void {
    const now = this.#clock.elapsed();
    const lanes = [...this.#pool];
    const { stuck, surplus } = keepPace({
      now,
      servedAt: this.#servedAt,
      starveMs: this.#policy.starveMs,
      waits: this.#waits,
      claims: this.#claims,
      lanes,
      most: this.#limit,
      turnMs: this.#turnMs,
      isCrowded: (this.origin?.crowd?.queued ?? 0) > 0,
    });
    for (const lane of [...stuck, ...surplus]) this.#pool.end(lane);
    // One that never began, beside others that are served, stands in a queue of the line's.
    const queued = stuck.filter(({ servedAt }) => servedAt === undefined).length;
    if (queued > 0) this.#room.refused(lanes.length - queued, now);
  }
}

/** No connection could be made, or it was closed before an answer, or that was "not so many at once". */
function isLimit(error: unknown): boolean {
  if (!isGranaryError(error)) return false;
  const { upstreamStatus } = error.facts;
  return upstreamStatus === undefined
    ? error.code === "upstream-unavailable"
    : [429, 503].includes(upstreamStatus);
}

function asGranaryError(error: unknown): GranaryError {
  if (isGranaryError(error)) return error;
  return new GranaryError("upstream-unavailable", `A transfer failed: ${messageOf(error)}`, { cause: error });
}
