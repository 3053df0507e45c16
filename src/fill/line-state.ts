/**
 * Owns what one fill knows about its origins and the line to them: which origins are left, how many lanes the line takes at the moment, and
 * whether the lanes wait before they try again. It learns from the bytes and the failures of the lanes. It starts no lane and chooses no bytes.
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
 * One more lane reads ahead for each RAMP_BYTES bytes that came, or, on a slower line, for each RAMP_MS milliseconds. So a client that reads
 * only a few bytes costs little, and the whole line is soon in use.
 */
const RAMP_BYTES = 256 * 1024;
const RAMP_MS = 100;
/** A small blob gets more than one connection when this long after its first byte it is still not complete. */
const SMALL_MS = 1_000;
/** When a connection is cut after at least this many bytes, it was worth making, and the next one is made at once. */
const WORTH_BYTES = 64 * 1024;
/** The fill counts as being served while its last bytes came within this time. */
const SERVED_MS = 1_000;

const { laneRaiseMs, laneRestMs, lastLanePauseMs, lastLanePauses } = FILL_RETRIES;

export class LineState {
  readonly #parts: LineParts;
  readonly #tryAgain: () => void;
  #origins: Origin[];
  /** Names of all origins that it was given so far. */
  readonly #names: Set<string>;
  #patience: Patience;
  /** How many lanes the line seems to take. */
  #most: number;
  #raiseAt = 0;
  /** For each lane that rests after a failure: until when. */
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

  /** When any lane last received bytes, of the clock's `elapsed`; the lane may have ended since. */
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
    // After a failure one lane tries alone; the others start when it has received bytes.
    if (this.#patience.isTrying || this.#isSmall) return 1;
    const connections = this.origin?.crowd?.most ?? policy.lanes;
    return Math.max(1, Math.min(this.#lineTakes(), connections));
  }

  /** How many of the lanes that may run do not rest after a failure. */
  get awake(): number {
    const now = this.#now;
    this.#resting = this.#resting.filter((until) => until > now);
    return Math.max(1, this.limit - this.#resting.length);
  }

  /** How many lanes besides the first may read ahead. A fraction. */
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

  /** The lanes start. `hasBytes`: some bytes of the blob are present already. */
  begin(hasBytes: boolean): void {
    this.#patience = new Patience(this.#parts.policy, hasBytes);
  }

  stop(): void {
    this.#backingOff?.cancel();
    this.#backingOff = undefined;
  }

  /** A lane has received `bytes` bytes. F11: earlier failures no longer count. */
  arrived(bytes: number): void {
    this.#received += bytes;
    this.#servedAt = this.#now;
    this.#begunAt ??= this.#servedAt;
    this.#patience.progressed();
    this.#pauses = 0;
  }

  /** Some lanes got nothing while `left` others received bytes: the line takes no more than those at once. */
  refused(left: number): void {
    this.#most = Math.max(1, Math.min(this.#most, left));
    this.#raiseAt = this.#now + laneRaiseMs;
  }

  /** A lane failed while `left` others run. This leads to a wait, fewer lanes, another origin, or the end, which is returned. */
  failed(lane: Lane, error: unknown, left: number): SupplyEnd | undefined {
    if (isGranaryError(error, "store-damaged")) return { end: "stalled", error };
    if (isGranaryError(error, "store-full")) return this.#backOff(lane, error);
    if (isGranaryError(error, "upstream-unavailable") && lane.brought >= WORTH_BYTES) return undefined;
    return this.#isMadeUpFor(lane, error, left) ? undefined : this.#backOff(lane, error);
  }

  get #now(): number {
    return this.#parts.clock.elapsed();
  }

  /** Bytes came a moment ago. */
  get #wasServed(): boolean {
    return this.#servedAt !== undefined && this.#now - this.#servedAt <= SERVED_MS;
  }

  get #isSmall(): boolean {
    if (this.#parts.size > this.#parts.policy.smallBlob) return false;
    return this.#begunAt === undefined || this.#now - this.#begunAt < SMALL_MS;
  }

  /** From time to time one more lane is tried. */
  #lineTakes(): number {
    const now = this.#now;
    if (this.#most < this.#parts.policy.lanes && now >= this.#raiseAt) {
      this.#most += 1;
      this.#raiseAt = now + laneRaiseMs;
    }
    return this.#most;
  }

  /** While other lanes receive bytes, one lane's failure only means that the line takes fewer lanes, or that its range fails at the moment. */
  #isMadeUpFor(lane: Lane, error: unknown, left: number): boolean {
    const isServedNow = this.#wasServed && !isGranaryError(error, "closed");
    if (left === 0) return isServedNow && isLimit(error) && this.#pause();
    if (!isServedNow) return false;
    if (lane.brought === 0 && isLimit(error)) this.refused(left);
    else this.#resting.push(this.#now + laneRestMs);
    return true;
  }

  /** All lanes ended at about the same time, and bytes came a moment ago: the last failure counts only after a few short pauses. */
  #pause(): boolean {
    this.#pauses += 1;
    if (this.#pauses > lastLanePauses) return false;
    this.#wait(lastLanePauseMs);
    return true;
  }

  /** Failures during a wait belong to the failure that caused it: an upstream's restart cuts all lanes at once. */
  #backOff(lane: Lane, error: unknown): SupplyEnd | undefined {
    if (this.isWaiting) return undefined;
    const origin = lane.origin?.name ?? "";
    const judgement = this.#patience.judge({ error, origin, now: this.#now, random: this.#parts.random() });
    // No lane receives bytes: what was learned about the line is out of date.
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
    // Another origin may have what this one lacks at the moment.
    const [first, ...others] = this.#origins;
    if (first !== undefined) this.#origins = [...others, first];
    this.#backingOff = this.#parts.clock.after(ms, () => {
      this.#backingOff = undefined;
      this.#tryAgain();
    });
  }
}

/** True for failures by which servers limit connections: none could be made, it was closed before an answer, or the answer was 429 or 503. */
function isLimit(error: unknown): boolean {
  if (!isGranaryError(error)) return false;
  const { upstreamStatus } = error.facts;
  return upstreamStatus === undefined
    ? error.code === "upstream-unavailable"
    : [429, 503].includes(upstreamStatus);
}
