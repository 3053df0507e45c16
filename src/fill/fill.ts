/**
 * Owns the Fill: the one in-flight transfer of a digest from one upstream, its states and what moves it between them. Its bytes are
 * that upstream's word until the digest is known to be right: nobody who asked another upstream is given any of them.
 *
 *              obtain()                  present = [0,size)         digest equal, adopted
 *    (none) ----------> opening --> filling --------------> verifying --------------> committed
 *                          |         |   ^                      |
 *                          |  linger |   | reader()             | digest differs
 *                          |  passed v   |                      v
 *                          |        paused                   rejected   (partial discarded)
 *                          |            \
 *                          +-------------+-- N tries, no progress --> stalled  (partial kept)
 *
 * From filling it can also go to `bypassing`, where there is no room to keep what arrives (F16). It never sees a client's
 * signal (F5), and never leaves the map before its blob can be found on disk (F9). Over 300 lines, because the
 * transitions are best read side by side; how bytes are fetched is lanes.ts's.
 */
import { type ByteRange, formatRange, lengthOf } from "../bytes/byte-range.ts";
import { RangeSet } from "../bytes/range-set.ts";
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Episodes } from "../observe/episodes.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Digest } from "../oci/digest.ts";
import type { Origin } from "../origin.ts";
import type { BlobReader } from "../source.ts";
import type { BlobStore, StoredBlob } from "../store/blob-store.ts";
import type { Partial, PartialKey, Spool } from "../store/partial.ts";
import { Checkpoints } from "./checkpoints.ts";
import type { FillPolicy } from "./fill-policy.ts";
import { FillReader, type ReaderHost } from "./fill-reader.ts";
import { Lanes, type LanesHost } from "./lanes.ts";
import { openSound } from "./open-sound.ts";
import { PassThrough } from "./pass-through.ts";
import type { Room } from "./room.ts";
import { Verifier } from "./verifier.ts";
import { Waits } from "./waits.ts";

export type FillState =
  | "opening"
  | "filling"
  | "verifying"
  | "committed"
  | "paused"
  | "stalled"
  | "rejected"
  | "bypassing";

/** What every Fill of a process shares. */
export type FillSurroundings = {
  readonly spool: Spool;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Where trouble with upstreams is said once. */
  readonly episodes: Episodes;
  readonly metrics: Metrics;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  /** Records a committed blob in Metadata. */
  readonly record: (digest: Digest, size: number) => Promise<void>;
  /** The room that is kept for this partial, for a blob of `size` bytes; the fill releases it when it has let go of the partial. */
  readonly takeRoom: (of: PartialKey, size: number) => Room;
  /** Nobody evicts the digest before the returned release is called: a fill does that when it leaves the map. */
  readonly pin: (digest: Digest) => () => void;
};

export type FillAsk = {
  readonly digest: Digest;
  /** Name of the upstream that `origin` belongs to. */
  readonly upstream: string;
  /** Bytes. */
  readonly size: number;
  /** The upstream has said so itself: a running fill that goes by another size, which some document stated, gives way. */
  readonly isSizeSure?: boolean;
  readonly origin: Origin;
  readonly policy: FillPolicy;
};

/** F18: this much of a whole reader's end waits for the verdict on the digest. */
const HELD_BACK = 64 * 1024;
/** A whole reader that took less may be a probe that reads no body (docs/protocol.md#ollama-probe): it completes nothing. */
const PROBE_BYTES = 8 * 1024 * 1024;

export class Fill implements ReaderHost, LanesHost {
  readonly digest: Digest;
  readonly upstream: string;
  readonly size: number;
  /** Resolves when a new fill of the same digest and upstream may open the partial. */
  readonly ended: Promise<void>;
  readonly #markEnded: () => void;
  readonly #around: FillSurroundings;
  readonly #policy: FillPolicy;
  readonly #leaveMap: (fill: Fill) => void;
  /** Readers whose next byte is not there. */
  readonly #waits: Waits;
  /** Readers of a whole whose last bytes are held back (F18). */
  readonly #held: Waits;
  readonly #lanes: Lanes;
  readonly #origins: Set<string>;
  readonly #room: Room;
  readonly #unpin: () => void;
  readonly #readers = new Set<FillReader>();
  #state: FillState = "opening";
  #partial: Partial | undefined;
  #stored: StoredBlob | undefined;
  #verifier: Verifier | undefined;
  #checkpoints: Checkpoints | undefined;
  #failure: GranaryError | undefined;
  /** Why what arrived could not be kept. */
  #unkept: GranaryError | undefined;
  #isVerified = false;
  /** Of the partial, when all of it was there and before it was hashed to its end. */
  #lastWrite: bigint | undefined;
  #wholeConsumed = 0;
  #linger: Timer | undefined;
  #closing: Promise<void> | undefined;
  /** While it is set, nothing but #open closes: a partial that opens after the close would stay open for ever. */
  #isOpening = true;
  #hasLeft = false;
  #isAdopted = false;
  #isStopping = false;

  /** Starts when `after` has resolved. `leaveMap` is called in the tick in which the fill may no longer be found. */
  constructor(ask: FillAsk, around: FillSurroundings, after: Promise<void>, leaveMap: (fill: Fill) => void) {
    this.digest = ask.digest;
    this.upstream = ask.upstream;
    this.size = ask.size;
    this.#policy = ask.policy;
    this.#around = around;
    this.#leaveMap = leaveMap;
    this.#waits = new Waits(around.clock);
    this.#held = new Waits(around.clock);
    this.#lanes = new Lanes(ask, around, this.#waits, this);
    this.#origins = new Set([ask.origin.name]);
    this.#room = around.takeRoom(this, this.size);
    this.#unpin = around.pin(this.digest);
    const ended = Promise.withResolvers<void>();
    this.ended = ended.promise;
    this.#markEnded = ended.resolve;
    this.#background(after.then(() => this.#start()));
  }

  /** For status and tests. */
  get facts() {
    return {
      digest: this.digest,
      upstream: this.upstream,
      state: this.#state,
      size: this.size,
      present: this.#present.total,
      lanes: this.#lanes.count,
      readers: this.#readers.size,
      waits: this.#waits.count + this.#held.count,
    };
  }

  /** Why it ended without its blob; undefined while it goes on, and when it is committed. */
  get failure(): GranaryError | undefined {
    return this.#failure;
  }

  /** Names of the origins that it was given so far: its bytes may be from any of them. */
  get origins(): readonly string[] {
    return [...this.#origins];
  }

  addOrigin(origin: Origin): void {
    this.#origins.add(origin.name);
    this.#lanes.addOrigin(origin);
  }

  /**
   * A reader of `range`, or of the whole; `ahead` is what its client reads after that. Synchronous: from here on the fill does not pause. Throws `range-unsatisfiable` for a
   * range that is not inside this fill's size: a byte past the end would be waited for without end.
   */
  reader(range?: ByteRange, ahead?: readonly ByteRange[]): BlobReader {
    const outlying = [range, ...(ahead ?? [])].find((one) => one && (one.start < 0 || one.end > this.size));
    if (outlying !== undefined) throw outside(this, outlying);
    const own = range ?? { start: 0, end: this.size };
    const reader = new FillReader(this, own, range === undefined, ahead);
    this.#readers.add(reader);
    this.#linger?.cancel();
    this.#linger = undefined;
    return reader;
  }

  /**
   * Its size is not that of the blob, as the upstream has said by now: it ends, and what it has goes. False when its digest is
   * being looked at already, which says more.
   */
  refute(found: number): boolean {
    if (this.#state === "verifying" || this.#state === "committed" || this.#isVerified) return false;
    const message = `${this.digest} was said to have ${this.size} bytes, and has ${found}.`;
    this.#end("rejected", new GranaryError("size-mismatch", message, { expected: this.size, found }));
    return true;
  }

  /** Ends now, keeping what is there: the process stops. Readers get `closed`. A verdict that is due is awaited. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#state !== "verifying" && this.#state !== "committed") {
      this.#end("paused", new GranaryError("closed", "The cache is shutting down."));
    }
    await this.ended;
  }

  // --- what readers use (ReaderHost) -----------------------------------------------------------------------------

  get end(): number {
    return this.size;
  }

  available(offset: number, end: number, whole: boolean): number {
    if (this.#failure !== undefined) throw this.#failure;
    const run = this.#present.endOfRunAt(offset);
    const limit = whole && !this.#isVerified ? Math.min(end, this.size - this.#heldBack) : end;
    return Math.max(0, Math.min(run, limit) - offset);
  }

  /** Everything is there but the verdict. */
  isHeldBack(offset: number, whole: boolean): boolean {
    if (!whole || this.#isVerified || this.#failure !== undefined) return false;
    return this.#present.endOfRunAt(offset) >= this.size;
  }

  async readAt(offset: number, into: Uint8Array): Promise<number> {
    const bytes = this.#stored ?? this.#partial;
    const count = (await bytes?.read(offset, into)) ?? 0;
    if (count > 0) return count;
    throw new GranaryError("store-damaged", `${this.digest} is shorter on disk than its ${this.size} bytes.`);
  }

  async isUnchanged(): Promise<boolean> {
    if (this.#stored !== undefined) return await this.#stored.isVerified();
    return (await this.#partial?.lastWrite()) === this.#lastWrite;
  }

  /** A disk that cannot give back what it took is no outage either (F16): whoever reads goes on at the origin. */
  async unreadable(error: GranaryError): Promise<void> {
    if (this.#failure !== undefined || this.#hasLeft) throw this.#failure ?? error;
    if (this.#state !== "bypassing") await this.#bypass(error);
  }

  park(
    range: ByteRange,
    held: boolean,
    ahead: readonly ByteRange[] | undefined,
  ): { readonly woken: Promise<void>; leave(): void } {
    // A reader may be held at a byte that is there while later ones lack: those are what it waits for.
    const start = this.#present.endOfRunAt(range.start);
    const parked = (held ? this.#held : this.#waits).park({ start, end: range.end, ahead });
    this.#lanes.schedule();
    return parked;
  }

  passThrough(range: ByteRange, whole: boolean): BlobReader | undefined {
    const origin = this.#lanes.origin;
    if (this.#state !== "bypassing" || origin === undefined) return undefined;
    const { clock, random, metrics } = this.#around;
    metrics.bypasses.inc();
    const seed = (offset: number, into: Uint8Array) => this.readAt(offset, into);
    return new PassThrough(
      { digest: this.digest, size: this.size, origin, range, whole, seed },
      this.#policy,
      clock,
      random,
    );
  }

  consumed(offset: number, whole: boolean): void {
    if (whole) this.#wholeConsumed = Math.max(this.#wholeConsumed, offset);
    if (this.isWanted) this.#lanes.schedule();
  }

  left(reader: FillReader): void {
    this.#readers.delete(reader);
    if (this.#readers.size === 0) this.#lastReaderLeft();
  }

  // --- opening ---------------------------------------------------------------------------------------------------

  async #start(): Promise<void> {
    try {
      if (this.#failure === undefined) await this.#open();
    } catch (error) {
      if (isDiskFailure(error)) await this.#bypass(error);
      else this.#broke(error);
    }
    this.#isOpening = false;
    if (this.#failure !== undefined) return await this.#close();
    this.#wakeEverybody();
    if (this.#stored !== undefined) this.#wasCommitted();
    else if (this.#partial !== undefined && this.#state === "opening") this.#fillFrom(this.#partial);
    if (this.#readers.size === 0) this.#lastReaderLeft();
  }

  async #open(): Promise<void> {
    const { blobs, spool, log } = this.#around;
    // A fill of this digest may have committed between the caller's look-up and its obtain (F9).
    this.#stored = await openSound(blobs, this, log);
    if (this.#stored !== undefined) return;
    const partial = await spool.openPartial(this, this.size);
    this.#partial = partial;
    this.#room.occupies(partial.present.total);
    this.#verifier = new Verifier(partial);
    if (partial.resumed)
      log.info({ digest: this.digest, present: partial.present.total }, "resuming a partial blob");
  }

  #wasCommitted(): void {
    this.#isVerified = true;
    this.#leave("committed");
    this.#letGoOfRoom();
  }

  // --- filling ---------------------------------------------------------------------------------------------------

  /** What can be read. */
  get #present(): RangeSet {
    if (this.#stored !== undefined) return RangeSet.of([{ start: 0, end: this.size }]);
    return this.#partial?.present ?? new RangeSet();
  }

  get #heldBack(): number {
    return Math.min(HELD_BACK, this.size);
  }

  /** By policy, because it is small, or because somebody has read a good part of it from the start. */
  get isWanted(): boolean {
    return this.#policy.finish || this.size <= this.#policy.smallBlob || this.#wholeConsumed > PROBE_BYTES;
  }

  #fillFrom(partial: Partial): void {
    this.#state = "filling";
    this.#checkpoints = new Checkpoints(partial, this.#around.clock, (error) => this.#unsaved(error));
    if (partial.present.total === this.size) this.#background(this.#verify(partial));
    else this.#lanes.begin(partial);
  }

  arrived(range: ByteRange): void {
    const partial = this.#partial;
    this.#verifier?.advance();
    this.#room.occupies(this.#present.total);
    this.#checkpoints?.arrived(lengthOf(range));
    if (partial?.present.total === this.size) this.#background(this.#verify(partial));
  }

  laneFailed(origin: Origin | undefined, error: unknown): void {
    const upstream = upstreamOf(origin);
    const code = isGranaryError(error) ? error.code : "unexpected";
    const { metrics, episodes, log } = this.#around;
    metrics.laneErrors.inc({ upstream, code });
    const facts = { digest: this.digest, origin: origin?.name, code, reason: messageOf(error) };
    // Where we sent nothing ourselves, the circuit has said why.
    if (isGranaryError(error) && error.facts.unsentForMs !== undefined) log.debug(facts, "a lane waits");
    else episodes.trouble(`transfers from ${upstream}: ${code}`, facts, "a lane failed");
  }

  gaveUp(state: "stalled" | "rejected", error: GranaryError): void {
    // The disk's fault is not the origin's: readers need not suffer from it (F16).
    if (isDiskFailure(error)) this.#background(this.#bypass(error));
    else this.#end(state, error);
  }

  outOfRoom(): void {
    if (this.#state === "filling") this.#background(this.#makeRoomOrBypass());
  }

  async #makeRoomOrBypass(): Promise<void> {
    const hasRoom = await this.#room.extend(this.size);
    if (!hasRoom && this.#state === "filling") await this.#bypass();
  }

  async #bypass(reason?: GranaryError): Promise<void> {
    this.#unkept = reason;
    const facts = { digest: this.digest, reason: reason?.message };
    this.#around.episodes.trouble(
      "blobs are not kept",
      facts,
      "the disk cannot keep this blob: passing it through",
    );
    this.#state = "bypassing";
    this.#wakeEverybody();
    await this.#lanes.stop();
    this.#room.giveBack();
    if (this.#readers.size === 0) this.#lastReaderLeft();
  }

  // --- verifying -------------------------------------------------------------------------------------------------

  async #verify(partial: Partial): Promise<void> {
    const verifier = this.#verifier;
    if (this.#state !== "filling" || verifier === undefined) return;
    this.#state = "verifying";
    this.#lastWrite = await partial.lastWrite();
    const found = await this.#digestOf(verifier);
    verifier.close();
    if (found === undefined) return;
    if (found !== this.digest) return await this.#mismatch(partial, found);
    this.#isVerified = true;
    this.#wakeEverybody();
    await this.#commit(partial);
  }

  /** undefined when the disk cannot be read any more: then the blob is passed through (F16). */
  async #digestOf(verifier: Verifier): Promise<Digest | undefined> {
    try {
      return await verifier.digest();
    } catch (error) {
      if (!isDiskFailure(error)) throw error;
      await this.#bypass(error);
      return undefined;
    }
  }

  /** F9: adopt, then metadata, then leave the map. Readers go on with the adopted partial meanwhile and afterwards. */
  async #commit(partial: Partial): Promise<void> {
    const { blobs, record, episodes } = this.#around;
    try {
      await this.#lanes.stop();
      await this.#checkpoints?.stop();
      await blobs.adopt(partial, this.digest);
      this.#isAdopted = true;
      await record(this.digest, this.size);
    } catch (error) {
      const facts = { digest: this.digest, reason: messageOf(error) };
      episodes.trouble("commits", facts, "a verified blob could not be committed");
      // Every byte is here and right: readers finish and more may come; the next fill verifies the kept partial again.
      if (!this.#isAdopted) this.#state = "stalled";
      if (isGranaryError(error)) this.#unkept = error;
    }
    if (this.#isAdopted) {
      this.#room.occupies(0);
      this.#leave("committed");
      this.#letGoOfRoom();
    }
    if (this.#readers.size === 0 || (this.#isStopping && !this.#isAdopted)) this.#lastReaderLeft();
  }

  /** F10: after a resume the doubt is the partial's; on a fresh fill it is the origin's. */
  async #mismatch(partial: Partial, found: Digest): Promise<void> {
    const { log, metrics } = this.#around;
    const message = `The bytes of ${this.digest} hash to ${found}.`;
    const error = new GranaryError("digest-mismatch", message, { expected: this.digest, found });
    log.error({ digest: this.digest, found, resumed: partial.resumed }, "digest mismatch");
    if (partial.resumed && !this.#isStopping) return await this.#startOver(partial, error);
    if (partial.resumed) return this.#end("rejected", error);
    this.#lanes.origin?.strike();
    metrics.originStrikes.inc({ upstream: upstreamOf(this.#lanes.origin) });
    this.#end("rejected", error);
  }

  /** Who was given doubtful bytes fails; who was given none goes on, with what is fetched anew. */
  async #startOver(partial: Partial, error: GranaryError): Promise<void> {
    for (const reader of this.#readers) if (reader.hasBytes) reader.fail(error);
    this.#state = "opening";
    this.#isOpening = true;
    this.#partial = undefined;
    this.#wholeConsumed = 0;
    try {
      await this.#lanes.stop();
      await this.#checkpoints?.stop();
      await this.#discard(partial);
    } finally {
      await this.#start();
    }
  }

  // --- leaving ---------------------------------------------------------------------------------------------------

  #lastReaderLeft(): void {
    if (this.#state === "bypassing") {
      const noRoom = () => new GranaryError("store-full", `There is no room to keep ${this.digest}.`);
      this.#end("stalled", this.#unkept ?? noRoom());
    } else if (this.#state === "stalled" && !this.#hasLeft) {
      const uncommitted = () => new GranaryError("store-damaged", `${this.digest} could not be committed.`);
      this.#end("stalled", this.#unkept ?? uncommitted());
    } else if (this.#failure !== undefined || this.#hasLeft) {
      this.#background(this.#close());
    } else if (!this.#policy.finish) {
      this.#linger ??= this.#around.clock.after(this.#policy.lingerMs, () => this.#background(this.#pause()));
    }
  }

  /** F13: the lanes stop, what is there is saved. A reader that comes meanwhile finds the fill going on. */
  async #pause(): Promise<void> {
    this.#linger = undefined;
    const partial = this.#partial;
    if (this.#state !== "filling" || this.#readers.size > 0 || partial === undefined) return;
    this.#state = "paused";
    await this.#lanes.stop();
    await this.#checkpoints?.stop();
    await this.#save(partial);
    // No await from here to leaving the map: a reader() before this point is seen here, after it none finds us (F1).
    if (this.#failure !== undefined) return;
    if (this.#readers.size > 0 || partial.present.total === this.size) return this.#fillFrom(partial);
    this.#leave("paused");
    await this.#close();
  }

  /** Ends for good, with an error for every reader; `rejected` discards the partial, anything else keeps it. */
  #end(state: "paused" | "stalled" | "rejected", error: GranaryError): void {
    if (this.#failure !== undefined || this.#hasLeft) return;
    this.#failure = error;
    this.#leave(state);
    this.#wakeEverybody();
    this.#background(this.#close());
  }

  #leave(state: FillState): void {
    this.#state = state;
    this.#hasLeft = true;
    this.#linger?.cancel();
    this.#around.metrics.fillsEnded.inc({ end: state });
    this.#leaveMap(this);
    this.#unpin();
  }

  /** While it opens this does nothing: #start finds the failure and closes. */
  #close(): Promise<void> {
    if (this.#isOpening) return Promise.resolve();
    this.#closing ??= this.#letGo();
    return this.#closing;
  }

  /** The last thing a fill does. */
  async #letGo(): Promise<void> {
    const partial = this.#partial;
    try {
      await this.#lanes.stop();
      await this.#checkpoints?.stop();
      this.#verifier?.close();
      await this.#stored?.close();
      if (this.#state === "rejected") await this.#discard(partial);
      else if (partial !== undefined && !this.#isAdopted) await this.#save(partial);
      await partial?.close();
    } finally {
      this.#letGoOfRoom();
    }
  }

  async #discard(partial: Partial | undefined): Promise<void> {
    this.#room.occupies(0);
    await partial?.discard();
  }

  #letGoOfRoom(): void {
    this.#room.release();
    this.#markEnded();
  }

  /** A full disk is when maps cannot be written: the last one that was is still true (F8). */
  async #save(partial: Partial): Promise<void> {
    try {
      await partial.checkpoint();
    } catch (error) {
      this.#unsaved(error);
    }
  }

  #unsaved(error: unknown): void {
    const facts = { digest: this.digest, reason: messageOf(error) };
    this.#around.episodes.trouble("checkpoints", facts, "a checkpoint could not be written");
  }

  #wakeEverybody(): void {
    this.#waits.wakeAll();
    this.#held.wakeAll();
  }

  /** The named background runner: a step that fails ends the fill with its reason. */
  #background(step: Promise<void>): void {
    step.catch((error: unknown) => this.#broke(error));
  }

  #broke(error: unknown): void {
    this.#around.log.error({ digest: this.digest, reason: messageOf(error) }, "a fill failed");
    this.#end("stalled", isGranaryError(error) ? error : broken(this.digest, error));
  }
}

function upstreamOf(origin: Origin | undefined): string {
  return origin?.name.split("/")[0] ?? "none";
}

function isDiskFailure(error: unknown): error is GranaryError {
  return isGranaryError(error, "store-full", "store-damaged");
}

function outside(fill: Fill, range: ByteRange): GranaryError {
  return new GranaryError(
    "range-unsatisfiable",
    `${formatRange(range)} is not inside ${fill.digest}, which has ${fill.size} bytes.`,
    { expected: fill.size, found: formatRange(range) },
  );
}

function broken(digest: Digest, error: unknown): GranaryError {
  return new GranaryError("upstream-unavailable", `Filling ${digest} failed: ${messageOf(error)}`, {
    cause: error,
  });
}
