/**
 * Owns the Fill: the one transfer of a digest from one upstream, its states, and what moves it from one to the next. Its bytes are that
 * upstream's word until the digest is known to be right: nobody who asked another upstream is given any of them.
 *
 *              obtain()                  present = [0,size)         digest equal, adopted
 *    (none) ----------> opening --> filling --------------> verifying --------------> committed
 *                          |         |   ^                      |  |
 *                          |  linger |   | reader()             |  | digest differs
 *                          |  passed v   |                      |  +---------------> rejected   (partial discarded)
 *                          |        pausing --> paused          |
 *                          |                                    +--> uncommitted --> stalled    (the next fill verifies again)
 *                          +-- N tries, no progress --> stalled     (partial kept)
 *                          +-- the disk fails --> bypassing --> stalled    (F16)
 *
 * Each state but the last ones has a step, which does its work and moves on; the steps run one after another, so that a partial is
 * never let go of while it is being opened. Calls from outside only change the state, and end what the running step waits for. A
 * Fill never sees a client's signal (F5), and never leaves the map before its blob can be found on disk (F9).
 */
import { type ByteRange, formatRange } from "../bytes/byte-range.ts";
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import type { Timer } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import type { Origin } from "../origin.ts";
import type { BlobReader } from "../source.ts";
import type { StoredBlob } from "../store/blob-store.ts";
import { Content, type Reading } from "./content.ts";
import type { FillAsk, FillSurroundings } from "./fill-ask.ts";
import { FillReader } from "./fill-reader.ts";
import { Lanes } from "./lanes.ts";
import { OpenPartial } from "./open-partial.ts";
import { openSound } from "./open-sound.ts";
import { PassThrough } from "./pass-through.ts";
import type { Room } from "./room.ts";
import { Stream } from "./stream.ts";
import type { Supply } from "./supply.ts";

/** As status and metrics tell it. */
export type FillState =
  | "opening"
  | "filling"
  | "verifying"
  | "committed"
  | "paused"
  | "stalled"
  | "rejected"
  | "bypassing";

type Opening = { readonly name: "opening" };
type Filling = { readonly name: "filling"; readonly partial: OpenPartial; linger: Timer | undefined };
/** Nobody reads: what is here is being saved. */
type Pausing = { readonly name: "pausing"; readonly partial: OpenPartial };
/** `isLast`: the process stops, and nothing is begun after the verdict. */
type Verifying = { readonly name: "verifying"; readonly partial: OpenPartial; isLast: boolean };
/** Every byte is here and right, and the store cannot take it: readers finish, and more may come. */
type Uncommitted = {
  readonly name: "uncommitted";
  readonly partial: OpenPartial;
  readonly reason: GranaryError;
};
/** The disk cannot keep the blob: each reader goes on at the origin (F16). */
type Bypassing = {
  readonly name: "bypassing";
  readonly partial: OpenPartial | undefined;
  readonly reason: GranaryError;
};
type Committed = { readonly name: "committed"; readonly file: OpenPartial | StoredBlob };
type Failed = {
  readonly name: "paused" | "stalled" | "rejected";
  readonly partial: OpenPartial | undefined;
  readonly failure: GranaryError;
};
type Over = Committed | Failed;
type Running = Opening | Filling | Pausing | Verifying | Uncommitted | Bypassing;

export class Fill {
  readonly digest: Digest;
  readonly upstream: string;
  /** Resolves when it is over: its blob is committed, or it has let go of its partial. */
  readonly ended: Promise<void>;
  readonly #markEnded: () => void;
  readonly #ask: FillAsk;
  readonly #around: FillSurroundings;
  readonly #leaveMap: (fill: Fill) => void;
  readonly #room: Room;
  readonly #unpin: () => void;
  readonly #content: Content;
  readonly #supply: Supply;
  readonly #origins: Set<string>;
  readonly #readers = new Set<FillReader>();
  #state: Running | Over = { name: "opening" };
  /** Resolves when the state changes or the last reader leaves. */
  #changed = Promise.withResolvers<void>();

  /** `leaveMap` is called in the tick in which the fill may no longer be found. */
  constructor(ask: FillAsk, around: FillSurroundings, leaveMap: (fill: Fill) => void) {
    const { digest, upstream, size, policy, origin } = ask;
    this.digest = digest;
    this.upstream = upstream;
    this.#ask = ask;
    this.#around = around;
    this.#leaveMap = leaveMap;
    this.#origins = new Set([origin.name]);
    this.#room = around.takeRoom(this, size ?? 0);
    this.#unpin = around.pin(digest);
    const isWanted = policy.finish || (size !== undefined && size <= policy.smallBlob);
    this.#content = new Content({ digest, size, isWanted, clock: around.clock });
    this.#supply =
      size === undefined
        ? new Stream(ask, this.#content, this.#room, around)
        : new Lanes({ ...ask, size }, this.#content, this.#room, around);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#markEnded = resolve;
    void this.#live();
  }

  /** Bytes; undefined as long as nobody knows. */
  get size(): number | undefined {
    const { end } = this.#content;
    return end === Number.POSITIVE_INFINITY ? undefined : end;
  }

  /** For status and tests. `size` is what is known of. */
  get facts() {
    const present = this.#content.present.total;
    return {
      digest: this.digest,
      upstream: this.upstream,
      state: told(this.#state),
      size: this.size ?? present,
      present,
      lanes: this.#supply.count,
      readers: this.#readers.size,
      waits: this.#content.waiting,
    };
  }

  /** Why it ended without its blob; undefined while it goes on, and when it is committed. */
  get failure(): GranaryError | undefined {
    return "failure" in this.#state ? this.#state.failure : undefined;
  }

  /** Names of the origins that it was given so far: its bytes may be from any of them. */
  get origins(): readonly string[] {
    return [...this.#origins];
  }

  addOrigin(origin: Origin): void {
    if (this.#supply.addOrigin(origin)) this.#origins.add(origin.name);
  }

  /**
   * A reader of `range`, or of the whole; `ahead` is what its client reads after that. Synchronous: from here on the fill does not pause.
   * Throws `range-unsatisfiable` for a range that is not inside the size: a byte past the end would be waited for without end.
   */
  reader(range?: ByteRange, ahead?: readonly ByteRange[]): BlobReader {
    const end = this.#ask.size ?? Number.POSITIVE_INFINITY;
    const outlying = [range, ...(ahead ?? [])].find((one) => one && (one.start < 0 || one.end > end));
    if (outlying !== undefined) throw outside(this.digest, outlying, end);
    const asked = { ...(range ?? { start: 0, end }), ahead, isWhole: range === undefined };
    const reader = new FillReader(this.#content, asked, {
      unreadable: (error) => this.#unreadable(error),
      closed: (closed) => this.#closed(closed),
    });
    this.#readers.add(reader);
    if (this.#state.name === "filling") this.#stay(this.#state);
    return reader;
  }

  /**
   * Its size is not that of the blob, as the upstream has said by now: it ends, and what it has goes. False when its digest is
   * being looked at already, which says more.
   */
  refute(found: number): boolean {
    if (["verifying", "uncommitted", "committed"].includes(this.#state.name)) return false;
    const expected = this.#ask.size ?? found;
    const message = `${this.digest} was said to have ${expected} bytes, and has ${found}.`;
    this.#end("rejected", new GranaryError("size-mismatch", message, { expected, found }));
    return true;
  }

  /** Ends now, keeping what is there: the process stops. Readers get `closed`. A verdict that is due is awaited. */
  async stop(): Promise<void> {
    if (this.#state.name === "verifying") this.#state.isLast = true;
    else this.#end("paused", new GranaryError("closed", "The cache is shutting down."));
    await this.ended;
  }

  // --- the steps ---------------------------------------------------------------------------------------------------

  async #live(): Promise<void> {
    for (;;) {
      const state = this.#state;
      if (isOver(state)) return await this.#letGo(state);
      await this.#step(state).catch((error: unknown) => this.#stepFailed(error));
    }
  }

  #step(state: Running): Promise<void> {
    switch (state.name) {
      case "opening":
        return this.#open(state);
      case "filling":
        return this.#fill(state);
      case "pausing":
        return this.#pause(state);
      case "verifying":
        return this.#verify(state);
      case "uncommitted":
        return this.#untilUnread(state);
      case "bypassing":
        return this.#passBy(state);
    }
  }

  /** The disk's fault is not the origin's: readers need not suffer from it (F16). */
  #stepFailed(error: unknown): void {
    if (isOver(this.#state)) return;
    const isLast = this.#state.name === "verifying" && this.#state.isLast;
    if (isDiskFailure(error) && !isLast) this.#bypass(error);
    else this.#broke(error);
  }

  #broke(error: unknown): void {
    this.#around.log.error({ digest: this.digest, reason: messageOf(error) }, "a fill failed");
    const message = `Filling ${this.digest} failed: ${messageOf(error)}`;
    const failure = new GranaryError("upstream-unavailable", message, { cause: error });
    this.#end("stalled", isGranaryError(error) ? error : failure);
  }

  async #open(state: Opening): Promise<void> {
    const { blobs, spool, log } = this.#around;
    const { size } = this.#ask;
    // A fill of this digest may have committed between the caller's look-up and its obtain (F9).
    const stored = await openSound(blobs, this.#ask, log);
    if (this.#state !== state) return await stored?.close();
    if (stored !== undefined) return this.#commit(stored);
    const opened = await spool.openPartial(this, size ?? 0);
    const partial = new OpenPartial(opened, {
      clock: this.#around.clock,
      room: this.#room,
      unsaved: (error) => this.#trouble("checkpoints", error, "a checkpoint could not be written"),
      isSized: size !== undefined,
    });
    // Ended while it opened: nobody else knows of this partial.
    if (this.#state !== state) return await letGoOf(partial, this.#state);
    this.#become({ name: "filling", partial, linger: undefined });
    this.#content.show(partial);
    this.#ask.observer?.begun(() => ({ present: this.#content.present.total, size: this.size }));
  }

  async #fill(state: Filling): Promise<void> {
    if (this.#readers.size === 0) this.#linger(state);
    const ended = await this.#supply.work();
    if (this.#state !== state) return;
    if (ended.end === "whole") this.#become({ name: "verifying", partial: state.partial, isLast: false });
    else if (ended.end === "stopped") this.#end("paused", unread(this.digest));
    else if (isDiskFailure(ended.error)) this.#bypass(ended.error);
    else this.#end(ended.end, ended.error);
  }

  /** F13: what is here is saved. A reader that comes meanwhile finds the fill going on. */
  async #pause(state: Pausing): Promise<void> {
    await this.#supply.stop();
    await state.partial.save();
    // No await from here to leaving the map: a reader() before this point is seen here, after it none finds us (F1).
    if (this.#state !== state) return;
    if (this.#readers.size === 0 && !this.#content.isWhole) return this.#end("paused", unread(this.digest));
    this.#become({ name: "filling", partial: state.partial, linger: undefined });
  }

  async #verify(state: Verifying): Promise<void> {
    const found = (await state.partial.hash()) ?? this.digest;
    if (found !== this.digest) return await this.#mismatch(state, found);
    this.#content.reveal();
    await this.#adopt(state);
  }

  /** F9: adopt, then metadata, then leave the map. Readers go on with the adopted partial meanwhile and afterwards. */
  async #adopt(state: Verifying): Promise<void> {
    const { blobs, record } = this.#around;
    const { partial } = state;
    let isAdopted = false;
    try {
      await this.#supply.stop();
      await partial.adopt(blobs);
      isAdopted = true;
      await record(this.digest, this.#content.end);
    } catch (error) {
      this.#trouble("commits", error, "a verified blob could not be committed");
      if (!isAdopted) return this.#notCommitted(state, error);
    }
    // Only now: before it is recorded nobody else counts its bytes.
    this.#room.occupies(0);
    this.#commit(partial);
  }

  /** Every byte is here and right: readers finish and more may come; the next fill verifies the kept partial again. */
  #notCommitted({ partial, isLast }: Verifying, error: unknown): void {
    const message = `${this.digest} could not be committed.`;
    const reason = isGranaryError(error) ? error : new GranaryError("store-damaged", message);
    if (isLast) this.#end("stalled", reason);
    else this.#become({ name: "uncommitted", partial, reason });
  }

  /** F10: after a resume the saved bytes may be wrong; on a fresh fill they are all the origin's. */
  async #mismatch({ partial, isLast }: Verifying, found: Digest): Promise<void> {
    const { log, metrics } = this.#around;
    const message = `The bytes of ${this.digest} hash to ${found}.`;
    const error = new GranaryError("digest-mismatch", message, { expected: this.digest, found });
    const { isResumed } = partial;
    log.error({ digest: this.digest, found, resumed: isResumed }, "digest mismatch");
    if (isResumed && !isLast) return await this.#startOver(partial, error);
    if (!isResumed) {
      const { origin } = this.#supply;
      origin?.strike();
      metrics.originStrikes.inc({ upstream: origin?.name.split("/")[0] ?? "none" });
    }
    this.#end("rejected", error);
  }

  /** Who was given doubtful bytes fails; who was given none goes on, with what is fetched anew. */
  async #startOver(partial: OpenPartial, error: GranaryError): Promise<void> {
    for (const reader of this.#readers) if (reader.hasBytes) reader.fail(error);
    this.#become({ name: "opening" });
    this.#content.show(undefined);
    await this.#supply.stop();
    await partial.discard();
  }

  async #passBy(state: Bypassing): Promise<void> {
    await this.#supply.stop();
    this.#room.giveBack();
    await this.#untilUnread(state);
  }

  async #untilUnread(state: Uncommitted | Bypassing): Promise<void> {
    while (this.#state === state && this.#readers.size > 0) await this.#changed.promise;
    // No await since the readers were counted: whoever comes later does not find us (F1).
    if (this.#state === state) this.#end("stalled", state.reason);
  }

  // --- changes of state --------------------------------------------------------------------------------------------

  #become(state: Running | Over): void {
    if (this.#state.name === "filling") this.#stay(this.#state);
    this.#state = state;
    this.#tellChange();
  }

  #tellChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  #closed(reader: FillReader): void {
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    this.#tellChange();
    if (this.#state.name === "filling") this.#linger(this.#state);
  }

  /** F13: lanes go on for a while, for a reader who comes back. */
  #linger(state: Filling): void {
    const { finish, lingerMs } = this.#ask.policy;
    if (finish) return;
    state.linger ??= this.#around.clock.after(lingerMs, () => {
      this.#become({ name: "pausing", partial: state.partial });
      void this.#supply.stop();
    });
  }

  #stay(state: Filling): void {
    state.linger?.cancel();
    state.linger = undefined;
  }

  /** A disk that cannot give back what it took is no outage either (F16): whoever reads goes on at the origin. */
  #unreadable(error: GranaryError): void {
    if (isOver(this.#state)) throw this.failure ?? error;
    // The verdict decides what becomes of the fill; this reader need not wait for it.
    if (this.#state.name === "verifying" || this.#state.name === "uncommitted") this.#openDetour();
    else if (this.#state.name !== "bypassing") this.#bypass(error);
  }

  #bypass(reason: GranaryError): void {
    this.#trouble("blobs are not kept", reason, "the disk cannot keep this blob: passing it through");
    this.#become({ name: "bypassing", partial: partialOf(this.#state), reason });
    this.#openDetour();
    void this.#supply.stop();
  }

  #openDetour(): void {
    this.#content.passBy((reading) => this.#detour(reading));
  }

  #detour({ start, end, isWhole }: Reading): BlobReader | undefined {
    const { origin } = this.#supply;
    if (origin === undefined) return undefined;
    const { clock, random, metrics } = this.#around;
    metrics.bypasses.inc();
    const { digest, size, policy } = this.#ask;
    const seed = (offset: number, into: Uint8Array) => this.#content.read(offset, into);
    const ask = { digest, size, origin, range: { start, end }, whole: isWhole, seed };
    return new PassThrough(ask, policy, clock, random);
  }

  #commit(file: OpenPartial | StoredBlob): void {
    if (!(file instanceof OpenPartial)) {
      this.#content.show(file);
      this.#content.reveal();
    }
    this.#leave({ name: "committed", file });
  }

  /** For good, with an error for every reader; `rejected` discards what is here, anything else keeps it. */
  #end(name: Failed["name"], failure: GranaryError): void {
    if (isOver(this.#state)) return;
    this.#leave({ name, partial: partialOf(this.#state), failure });
    this.#content.fail(failure);
    void this.#supply.stop();
  }

  #leave(state: Over): void {
    this.#become(state);
    this.#around.metrics.fillsEnded.inc({ end: state.name });
    this.#ask.observer?.ended("failure" in state ? state.failure : undefined);
    this.#leaveMap(this);
    this.#unpin();
  }

  /** The last thing a fill does. */
  async #letGo(state: Over): Promise<void> {
    try {
      if (state.name === "committed") await this.#closeUnread(state.file);
      else if (state.partial !== undefined) {
        await this.#supply.stop();
        await letGoOf(state.partial, state);
      }
    } catch (error) {
      this.#trouble("partials", error, "the file of a partial blob could not be closed");
    }
    this.#over();
  }

  /** Its readers go on with the file that they have; nobody else needs to wait for that. */
  async #closeUnread(file: OpenPartial | StoredBlob): Promise<void> {
    this.#over();
    while (this.#readers.size > 0) await this.#changed.promise;
    await file.close();
  }

  #over(): void {
    this.#room.release();
    this.#markEnded();
  }

  #trouble(kind: string, error: unknown, message: string): void {
    this.#around.episodes.trouble(kind, { digest: this.digest, reason: messageOf(error) }, message);
  }
}

function isOver(state: Running | Over): state is Over {
  return ["committed", "paused", "stalled", "rejected"].includes(state.name);
}

function told({ name }: Running | Over): FillState {
  if (name === "pausing") return "paused";
  return name === "uncommitted" ? "stalled" : name;
}

function partialOf(state: Running | Over): OpenPartial | undefined {
  return "partial" in state ? state.partial : undefined;
}

async function letGoOf(partial: OpenPartial, state: Running | Over): Promise<void> {
  if (state.name === "rejected") await partial.discard();
  else await partial.keep();
}

function isDiskFailure(error: unknown): error is GranaryError {
  return isGranaryError(error, "store-full", "store-damaged");
}

function unread(digest: Digest): GranaryError {
  return new GranaryError("closed", `Nobody reads ${digest} any more.`);
}

function outside(digest: Digest, range: ByteRange, size: number): GranaryError {
  const message = `${formatRange(range)} is not inside ${digest}, which has ${size} bytes.`;
  return new GranaryError("range-unsatisfiable", message, { expected: size, found: formatRange(range) });
}
