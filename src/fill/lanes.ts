/**
 * Owns the Lanes at work for one fill of a known size: it starts them, has them stream what they claim, and ends them. lane-plan.ts says how
 * many may run, what each claims and which are in the way; line-state.ts decides what a failure means, and the Fill what happens to the fill.
 */
import { type ByteRange, lengthOf } from "../bytes/byte-range.ts";
import { type GranaryError, isGranaryError, messageOf } from "../errors.ts";
import type { Timer } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import type { Origin } from "../origin.ts";
import type { Purpose } from "../purpose.ts";
import type { Claim } from "./claims.ts";
import type { Content } from "./content.ts";
import type { FillSurroundings } from "./fill-ask.ts";
import type { FillPolicy } from "./fill-policy.ts";
import { Lane, streamClaim } from "./lane.ts";
import type { LaneOrder, LineUser } from "./lane-order.ts";
import { LanePlan } from "./lane-plan.ts";
import { LineState } from "./line-state.ts";
import type { Room } from "./room.ts";
import { STOPPED, type Supply, type SupplyEnd, WHOLE } from "./supply.ts";

export type LanesAsk = {
  readonly digest: Digest;
  readonly upstream: string;
  /** Bytes. */
  readonly size: number;
  readonly origin: Origin;
  readonly policy: FillPolicy;
  /** What it is wanted for at this moment. */
  readonly purpose: () => Purpose;
  readonly order: LaneOrder;
};

/** How often the lanes are checked for readers that starve. */
const PACE_MS = 250;
/** A check that comes so much too late was late because of this machine. It is put off for a moment. */
const LATE_MS = 50;
const CATCH_UP_MS = 20;

export class Lanes implements Supply, LineUser {
  readonly #ask: LanesAsk;
  readonly #content: Content;
  readonly #room: Room;
  readonly #around: FillSurroundings;
  readonly #line: LineState;
  readonly #plan: LanePlan;
  readonly #lanes = new Set<Lane>();
  /** Set while work() is in progress: lanes may start. */
  #work: PromiseWithResolvers<SupplyEnd> | undefined;
  #leaveLine: () => void = () => {};
  #pace: Timer | undefined;

  constructor(ask: LanesAsk, content: Content, room: Room, around: FillSurroundings) {
    this.#ask = ask;
    this.#content = content;
    this.#room = room;
    this.#around = around;
    const { clock, random } = around;
    this.#line = new LineState({ ...ask, clock, random }, () => this.#schedule());
    this.#plan = new LanePlan({ ...ask, content, line: this.#line, clock });
    content.whenWanted(() => this.#schedule());
  }

  get count(): number {
    return this.#lanes.size;
  }

  get upstream(): string {
    return this.#ask.upstream;
  }

  get purpose(): Purpose {
    return this.#ask.purpose();
  }

  get aliveAt(): number | undefined {
    const alive = [...this.#lanes].map(({ claim, servedAt }) =>
      Math.max(claim?.claimedAt ?? 0, servedAt ?? 0),
    );
    return alive.length === 0 ? undefined : Math.max(...alive);
  }

  get heldSince(): number | undefined {
    return this.#ask.order.heldSince(this);
  }

  /** What the lanes have received is kept; what is under way is lost. */
  yield(): void {
    for (const lane of this.#lanes) lane.end();
  }

  resume(): void {
    this.#schedule();
  }

  get places(): readonly number[] {
    return this.#plan.claims.list().map(({ at }) => at);
  }

  get origin(): Origin | undefined {
    return this.#line.origin;
  }

  get origins(): readonly string[] {
    return this.#line.names;
  }

  addOrigin(origin: Origin): void {
    this.#line.addOrigin(origin);
  }

  work(): Promise<SupplyEnd> {
    if (this.#content.isWhole) return Promise.resolve(WHOLE);
    this.#line.begin(this.#content.present.total > 0);
    this.#leaveLine = this.#ask.order.join(this);
    this.#work = Promise.withResolvers<SupplyEnd>();
    const { promise } = this.#work;
    this.#schedule();
    return promise;
  }

  async stop(): Promise<void> {
    this.#finish(STOPPED);
    await this.#endAll();
  }

  #finish(end: SupplyEnd): void {
    this.#work?.resolve(end);
    this.#work = undefined;
    this.#leaveLine();
    this.#line.stop();
    this.#pace?.cancel();
    this.#pace = undefined;
  }

  /** F4: called after every new wait and every lane exit. Starts lanes while there is something for them to do. */
  #schedule(): void {
    while (!this.#line.isWaiting && this.#lanes.size < this.#plan.awake) {
      const claim = this.#claim(undefined);
      if (claim === undefined) break;
      this.#start(claim);
    }
    if (this.#work !== undefined && this.#content.waits.count > 0) this.#keepPaceSoon();
  }

  #claim(previous: Claim | undefined): Claim | undefined {
    // Before anything is looked at: it may let other lanes of this fill begin, which claim something.
    if (this.#work === undefined || !this.#ask.order.mayRun(this)) return undefined;
    return this.#plan.claim(previous, this.#lanes.size);
  }

  get #now(): number {
    return this.#around.clock.elapsed();
  }

  // --- one lane ----------------------------------------------------------------------------------------------------

  #start(claim: Claim): void {
    const lane = new Lane();
    lane.claim = claim;
    this.#lanes.add(lane);
    lane.done = this.#run(lane, claim).then(
      () => this.#ended(lane, undefined),
      (error: unknown) => this.#ended(lane, error),
    );
    if (this.#lanes.size === 1) this.#ask.order.changed();
  }

  async #run(lane: Lane, first: Claim): Promise<void> {
    let claim: Claim | undefined = first;
    while (claim !== undefined) {
      lane.claim = claim;
      try {
        await this.#stream(lane, claim);
      } finally {
        this.#plan.claims.release(claim, this.#now);
        lane.brought += claim.at - claim.start;
        lane.claim = undefined;
      }
      claim = lane.signal.aborted ? undefined : this.#claim(claim);
    }
  }

  async #stream(lane: Lane, claim: Claim): Promise<void> {
    const { origin } = this;
    if (origin === undefined || this.#work === undefined) return;
    lane.origin = origin;
    lane.wantedFor = this.#plan.wantedFor(claim);
    await streamClaim({
      blob: this.#ask,
      origin,
      claim,
      clock: this.#around.clock,
      signal: lane.signal,
      wantedFor: lane.wantedFor,
      write: (offset, chunks) => this.#content.write(offset, chunks),
      arrived: (range) => this.#arrived(lane, range),
      widen: (end) => this.#plan.widen(claim, end),
      goBlind: () => this.#goBlind(lane, claim),
    });
  }

  #arrived(lane: Lane, range: ByteRange): void {
    lane.servedAt = this.#now;
    this.#line.arrived(lengthOf(range));
    this.#content.mark(range);
    if (this.#content.isWhole) this.#finish(WHOLE);
    // When no reader waits, nothing else would start the lanes that read ahead.
    else if (this.#content.isWanted && this.#lanes.size < this.#plan.limit) this.#schedule();
  }

  /** F15: ends all other lanes. True when this one may go on with its body; otherwise the next claim starts at the first gap. */
  async #goBlind(lane: Lane, claim: Claim): Promise<boolean> {
    if (this.#plan.isRangeBlind && this.#plan.claims.count > 1) return false;
    this.#plan.isRangeBlind = true;
    await this.#endAll(lane);
    const gap = this.#content.present.firstGap({ start: 0, end: this.#ask.size });
    if (lane.signal.aborted || gap === undefined || gap.start !== claim.at) return false;
    claim.extend(gap.end);
    return true;
  }

  #ended(lane: Lane, error: unknown): void {
    this.#lanes.delete(lane);
    if (error !== undefined && !lane.signal.aborted && this.#work !== undefined) this.#failed(lane, error);
    this.#schedule();
  }

  #failed(lane: Lane, error: unknown): void {
    this.#report(lane.origin, error);
    const end = this.#line.failed(lane, error, this.#lanes.size);
    if (end !== undefined) this.#finish(end);
    else if (isGranaryError(error, "store-full")) void this.#extendRoom(error);
  }

  /** The disk was full. The lanes wait, and go on if room could be made. */
  async #extendRoom(error: GranaryError): Promise<void> {
    if (!(await this.#room.extend(this.#ask.size))) this.#finish({ end: "stalled", error });
  }

  #report(origin: Origin | undefined, error: unknown): void {
    const upstream = origin?.name.split("/")[0] ?? "none";
    const code = isGranaryError(error) ? error.code : "unexpected";
    const { metrics, episodes, log } = this.#around;
    metrics.laneErrors.inc({ upstream, code });
    const facts = { digest: this.#ask.digest, origin: origin?.name, code, reason: messageOf(error) };
    // When no request was sent, the circuit has logged why.
    if (isGranaryError(error) && error.facts.unsentForMs !== undefined) log.debug(facts, "a lane waits");
    else episodes.trouble(`transfers from ${upstream}: ${code}`, facts, "a lane failed");
  }

  /** Ends every lane but `except`; resolves when all that they received is written. */
  async #endAll(except?: Lane): Promise<void> {
    const others = [...this.#lanes].filter((lane) => lane !== except);
    for (const lane of others) lane.end();
    await Promise.all(others.map((lane) => lane.done));
  }

  // --- no reader starves (F17) -------------------------------------------------------------------------------------

  /** Where this process itself was late, what has come meanwhile is received first: it is no evidence about the lanes. */
  #keepPaceSoon(): void {
    if (this.#pace !== undefined) return;
    const { clock } = this.#around;
    const dueAt = this.#now + PACE_MS;
    this.#pace = clock.after(PACE_MS, () => {
      const isLate = this.#now - dueAt >= LATE_MS;
      if (isLate) this.#pace = clock.after(CATCH_UP_MS, () => this.#keepPace());
      else this.#keepPace();
    });
  }

  /** Ends or shortens the work of lanes for which readers would wait too long. */
  #keepPace(): void {
    this.#pace = undefined;
    if (!this.#plan.isRangeBlind) this.#endSlow();
    this.#schedule();
  }

  #endSlow(): void {
    const lanes = [...this.#lanes];
    const { stuck, surplus } = this.#plan.keepPace(lanes);
    for (const lane of [...stuck, ...surplus]) lane.end();
    // A lane without a first byte, while others receive bytes, is in a queue: the line takes fewer connections.
    const queued = stuck.filter(({ servedAt }) => servedAt === undefined).length;
    if (queued > 0) this.#line.refused(lanes.length - queued);
  }
}
