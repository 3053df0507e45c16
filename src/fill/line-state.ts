/**
 * Owns what one fill knows of the way to its bytes: which origins are left, how many lanes the line takes just now, and whether lanes
 * wait before they try again. It learns from what lanes bring and how they fail. It starts no lane and chooses no bytes.
 */
import { isGranaryError } from "../errors.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Origin } from "../origin.ts";
import { FILL_RETRIES } from "../waiting/retry-numbers.ts";
import type { FillPolicy } from "./fill-policy.ts";
import type { Lane } from "./lane.ts";
import { Patience } from "./patience.ts";
import { asFailure, type SupplyEnd } from "./supply.ts";

export type LineParts = {
  readonly size: number;
  readonly policy: FillPolicy;
  readonly origin: Origin;
  readonly clock: Clock;
  readonly random: () => number;
};

/**
 * A lane more reads ahead for each so many bytes that came, or after each so many milliseconds of a line that is slower: a probe costs
 * little, and the line is soon used whole.
 */
const RAMP_BYTES = 256 * 1024;
const RAMP_MS = 100;
/** A small blob that takes longer than this from its first byte on is worth more than one connection. */
const SMALL_MS = 1_000;
/** A lane that is cut after so much was worth its connection: the next one is made at once. */
const WORTH_BYTES = 64 * 1024;
/** Some lane brought something within this: the fill is being served. */
const SERVED_MS = 1_000;

const { laneRaiseMs, laneRestMs, lastLanePauseMs, lastLanePauses } = FILL_RETRIES;

export class LineState {
  readonly #parts: LineParts;
  readonly #tryAgain: () => void;
  #origins: Origin[];
  /** Of all origins that it was given so far. */
  readonly #names: Set<string>;
  #patience: Patience;
  /** Lanes that the line takes, as far as it was seen. */
  #most: number;
  #raiseAt = 0;
  /** Until when lanes rest. */
  #resting: number[] = [];
  #pauses = 0;
  #backingOff: Timer | undefined;
  #received = 0;
  #begunAt: number | undefined;
  #servedAt: number | undefined;

  /** `tryAgain` is called when a wait is over. */
  constructor(parts: LineParts, tryAgain: () => void) {
    this.#parts = parts;
    this.#tryAgain = tryAgain;
    this.#origins = [parts.origin];
    this.#names = new Set([parts.origin.name]);
    this.#patience = new Patience(parts.policy, false);
    this.#most = parts.policy.lanes;
  }

  /** The origin in use, while any is left. */
  get origin(): Origin | undefined {
    return this.#origins[0];
  }

  get names(): readonly string[] {
    return [...this.#names];
  }

  /** When a lane, also one that has ended since, last brought something, of the clock's `elapsed`. */
  get servedAt(): number | undefined {
    return this.#servedAt;
  }

  /** No lane is to be started before `tryAgain`. */
  get isWaiting(): boolean {
    return this.#backingOff !== undefined;
  }

  /** Lanes that may run now. */
  get limit(): number {
    const { policy } = this.#parts;
    // In trouble one lane tries; the others come when it got something.
    if (this.#patience.isTrying || this.#isSmall) return 1;
    const connections = this.origin?.crowd?.most ?? policy.lanes;
    return Math.max(1, Math.min(this.#lineTakes(), connections));
  }

  /** Of those that may run, how many do not rest. */
  get awake(): number {
    const now = this.#now;
    this.#resting = this.#resting.filter((until) => until > now);
    return Math.max(1, this.limit - this.#resting.length);
  }

  /** How many lanes may run beside the first to read ahead. */
  get ramp(): number {
    const sinceMs = this.#begunAt === undefined ? 0 : this.#now - this.#begunAt;
    return Math.max(
      this.#received / Math.min(RAMP_BYTES, this.#parts.policy.firstSegment),
      sinceMs / RAMP_MS,
    );
  }

  addOrigin(origin: Origin): void {
    this.#names.add(origin.name);
    if (!this.#origins.some((known) => known.name === origin.name)) this.#origins.push(origin);
  }

  /** Lanes begin. `hasBytes`: some of the blob is here already. */
  begin(hasBytes: boolean): void {
    this.#patience = new Patience(this.#parts.policy, hasBytes);
  }

  stop(): void {
    this.#backingOff?.cancel();
    this.#backingOff = undefined;
  }

  /** A lane brought so many bytes. F11: that forgives everything before. */
  arrived(bytes: number): void {
    this.#received += bytes;
    this.#servedAt = this.#now;
    this.#begunAt ??= this.#servedAt;
    this.#patience.progressed();
    this.#pauses = 0;
  }

  /** Lanes that were given nothing while `left` others are served stand in a queue of the line's: it takes no more at once. */
  refused(left: number): void {
    this.#most = Math.max(1, Math.min(this.#most, left));
    this.#raiseAt = this.#now + laneRaiseMs;
  }

  /** A lane failed while `left` others run. What comes of it: a wait, fewer lanes, another origin, or the end, which is returned. */
  failed(lane: Lane, error: unknown, left: number): SupplyEnd | undefined {
    if (isGranaryError(error, "store-damaged")) return { end: "stalled", error };
    if (isGranaryError(error, "store-full")) return this.#backOff(lane, error);
    if (isGranaryError(error, "upstream-unavailable") && lane.brought >= WORTH_BYTES) return undefined;
    return this.#isMadeUpFor(lane, error, left) ? undefined : this.#backOff(lane, error);
  }

  get #now(): number {
    return this.#parts.clock.elapsed();
  }

  /** Something came a moment ago. */
  get #wasServed(): boolean {
    return this.#servedAt !== undefined && this.#now - this.#servedAt <= SERVED_MS;
  }

  get #isSmall(): boolean {
    if (this.#parts.size > this.#parts.policy.smallBlob) return false;
    return this.#begunAt === undefined || this.#now - this.#begunAt < SMALL_MS;
  }

  /** One more than was seen to be taken is tried from time to time. */
  #lineTakes(): number {
    const now = this.#now;
    if (this.#most < this.#parts.policy.lanes && now >= this.#raiseAt) {
      this.#most += 1;
      this.#raiseAt = now + laneRaiseMs;
    }
    return this.#most;
  }

  /** One lane's trouble is its own while others are served: the line takes fewer, or this range is not to be had just now. */
  #isMadeUpFor(lane: Lane, error: unknown, left: number): boolean {
    const isServedNow = this.#wasServed && !isGranaryError(error, "closed");
    if (left === 0) return isServedNow && isLimit(error) && this.#pause();
    if (!isServedNow) return false;
    if (lane.brought === 0 && isLimit(error)) this.refused(left);
    else this.#resting.push(this.#now + laneRestMs);
    return true;
  }

  /** All lanes ended at about the same time, and the line has not got over it: a few short pauses come before the judgement. */
  #pause(): boolean {
    this.#pauses += 1;
    if (this.#pauses > lastLanePauses) return false;
    this.#wait(lastLanePauseMs);
    return true;
  }

  /** Failures that come while we wait already are one failure: an upstream's restart cuts every lane at once. */
  #backOff(lane: Lane, error: unknown): SupplyEnd | undefined {
    if (this.isWaiting) return undefined;
    const origin = lane.origin?.name ?? "";
    const judgement = this.#patience.judge({ error, origin, now: this.#now, random: this.#parts.random() });
    // Nobody is served: what was learned of the line says nothing any more.
    this.#most = this.#parts.policy.lanes;
    this.#resting = [];
    if (judgement.next === "end") return { end: judgement.state, error: asFailure(error, "A transfer") };
    if (judgement.next === "elsewhere") return this.#dropOrigin(lane.origin, error);
    this.#wait(judgement.afterMs);
    return undefined;
  }

  #dropOrigin(origin: Origin | undefined, error: unknown): SupplyEnd | undefined {
    this.#origins = this.#origins.filter((other) => other !== origin);
    if (this.#origins.length === 0) return { end: "stalled", error: asFailure(error, "A transfer") };
    this.#patience.movedOn();
    return undefined;
  }

  #wait(ms: number): void {
    if (this.isWaiting) return;
    // What one origin lacks just now another may have.
    const [first, ...others] = this.#origins;
    if (first !== undefined) this.#origins = [...others, first];
    this.#backingOff = this.#parts.clock.after(ms, () => {
      this.#backingOff = undefined;
      this.#tryAgain();
    });
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
