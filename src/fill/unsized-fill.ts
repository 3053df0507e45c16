/**
 * Owns the UnsizedFill: the one transfer of a digest whose size nobody states. It is read as one stream from its start into a file
 * that grows, and everybody who asks meanwhile follows that. The stream holds its last bytes back until the digest is known to be
 * right (F18), so that no reader comes to an end with wrong bytes. What is broken off is not resumed: there is no map without a size. Over
 * 300 lines, because its transitions are best read side by side, as the Fill's are.
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import type { Timer } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import type { Origin } from "../origin.ts";
import type { BlobReader } from "../source.ts";
import type { StoredBlob } from "../store/blob-store.ts";
import type { Partial } from "../store/partial.ts";
import type { FillAsk, FillState, FillSurroundings } from "./fill.ts";
import { FillReader, type ReaderHost } from "./fill-reader.ts";
import { openSound } from "./open-sound.ts";
import { PassThrough } from "./pass-through.ts";
import type { Room } from "./room.ts";
import { Waits } from "./waits.ts";

export type UnsizedAsk = Omit<FillAsk, "size" | "isSizeSure">;

const READ_BYTES = 1024 * 1024;
/** Room is made for this much more than came so far. */
const LEAST_ROOM = 64 * 1024;
const MOST_ROOM = 64 * 1024 * 1024;

export class UnsizedFill implements ReaderHost {
  readonly digest: Digest;
  readonly upstream: string;
  readonly ended: Promise<void>;
  readonly #markEnded: () => void;
  readonly #ask: UnsizedAsk;
  readonly #around: FillSurroundings;
  readonly #leaveMap: (fill: UnsizedFill) => void;
  readonly #waits: Waits;
  readonly #readers = new Set<FillReader>();
  readonly #stream: PassThrough;
  readonly #room: Room;
  readonly #unpin: () => void;
  #state: FillState = "opening";
  #partial: Partial | undefined;
  #stored: StoredBlob | undefined;
  #end = Number.POSITIVE_INFINITY;
  #written = 0;
  /** Of the file, when all of it was written. */
  #lastWrite: bigint | undefined;
  /** Bytes of the blob that there is room for. */
  #reach = 0;
  #failure: GranaryError | undefined;
  #linger: Timer | undefined;
  #hasLeft = false;
  #isStopping = false;
  #isAdopted = false;
  /** The stream is still read, or looked for. */
  #isBusy = true;
  #closing: Promise<void> | undefined;

  /** Starts when `after` has resolved. `leaveMap` is called in the tick in which it may no longer be found. */
  constructor(
    ask: UnsizedAsk,
    around: FillSurroundings,
    after: Promise<void>,
    leaveMap: (fill: UnsizedFill) => void,
  ) {
    this.digest = ask.digest;
    this.upstream = ask.upstream;
    this.#ask = ask;
    this.#around = around;
    this.#leaveMap = leaveMap;
    this.#waits = new Waits(around.clock);
    this.#room = around.takeRoom(this, 0);
    this.#unpin = around.pin(this.digest);
    this.#stream = this.#through({ start: 0, end: Number.POSITIVE_INFINITY }, true);
    const ended = Promise.withResolvers<void>();
    this.ended = ended.promise;
    this.#markEnded = ended.resolve;
    void after.then(() => this.#run());
  }

  /** Undefined until the end was seen. */
  get size(): number | undefined {
    return this.#end === Number.POSITIVE_INFINITY ? undefined : this.#end;
  }

  /** For status and tests. `size` is what room is kept for. */
  get facts() {
    const { digest, upstream } = this;
    const [readers, waits] = [this.#readers.size, this.#waits.count];
    const present = this.#isAdopted ? this.#end : this.#written;
    const size = this.size ?? Math.max(this.#reach, present);
    return { digest, upstream, state: this.#state, size, present, lanes: 1, readers, waits };
  }

  get failure(): GranaryError | undefined {
    return this.#failure;
  }

  get origins(): readonly string[] {
    return [this.#ask.origin.name];
  }

  /** One stream is one origin's. */
  addOrigin(_origin: Origin): void {}

  /** It goes by no size that could be wrong. */
  refute(): boolean {
    return false;
  }

  /** A range is reached only as the stream gets there; one that turns out to lie beyond the end fails its reader. */
  reader(range?: ByteRange): BlobReader {
    const whole = { start: 0, end: Number.POSITIVE_INFINITY };
    const reader = new FillReader(this, range ?? whole, range === undefined);
    this.#readers.add(reader);
    this.#linger?.cancel();
    this.#linger = undefined;
    return reader;
  }

  /** Ends now: the process stops. Readers get `closed`. What is whole is kept first. */
  async stop(): Promise<void> {
    if (this.#state !== "verifying") this.#giveUp("The cache is shutting down.");
    this.#isStopping = true;
    await this.ended;
  }

  // --- what readers use (ReaderHost) -----------------------------------------------------------------------------

  get end(): number {
    return this.#end;
  }

  available(offset: number, end: number): number {
    if (this.#failure !== undefined) throw this.#failure;
    return Math.max(0, Math.min(this.#written, end) - offset);
  }

  /** The stream itself gives nothing out before its time. */
  isHeldBack(): boolean {
    return false;
  }

  async readAt(offset: number, into: Uint8Array): Promise<number> {
    const bytes = this.#stored ?? this.#partial;
    const count = (await bytes?.read(offset, into)) ?? 0;
    if (count > 0) return count;
    throw new GranaryError("store-damaged", `${this.digest} is shorter on disk than what was written of it.`);
  }

  async isUnchanged(): Promise<boolean> {
    if (this.#stored !== undefined) return await this.#stored.isVerified();
    return (await this.#partial?.lastWrite()) === this.#lastWrite;
  }

  async unreadable(error: GranaryError): Promise<void> {
    if (this.#failure !== undefined || this.#hasLeft) throw this.#failure ?? error;
    this.#bypass(error);
  }

  park(range: ByteRange): { readonly woken: Promise<void>; leave(): void } {
    return this.#waits.park(range);
  }

  /** F16: what cannot be kept is read by each for itself. */
  passThrough(range: ByteRange, whole: boolean): BlobReader | undefined {
    if (this.#state !== "bypassing") return undefined;
    this.#around.metrics.bypasses.inc();
    return this.#through(range, whole);
  }

  consumed(): void {}

  left(reader: FillReader): void {
    this.#readers.delete(reader);
    if (this.#readers.size === 0) this.#lastReaderLeft();
  }

  // --- the stream ------------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    try {
      await this.#fill();
    } catch (error) {
      if (isGranaryError(error, "store-full", "store-damaged")) this.#bypass(error);
      else this.#broke(error);
    }
    this.#isBusy = false;
    if (this.#failure !== undefined || this.#hasLeft) await this.#close();
    else if (this.#readers.size === 0) this.#lastReaderLeft();
  }

  async #fill(): Promise<void> {
    if (this.#failure !== undefined) return;
    const { blobs, spool, log } = this.#around;
    this.#stored = await openSound(blobs, { digest: this.digest, size: undefined }, log);
    if (this.#stored !== undefined) return this.#wasThere(this.#stored.size);
    this.#partial = await spool.openPartial(this, 0);
    this.#room.occupies(0);
    if (this.#failure !== undefined) return;
    this.#state = "filling";
    if (this.#readers.size === 0) this.#lastReaderLeft();
    if (await this.#copy(this.#partial)) await this.#commit(this.#partial);
  }

  #wasThere(size: number): void {
    this.#written = size;
    this.#end = size;
    this.#isAdopted = true;
    this.#leave("committed");
    this.#waits.wakeAll();
    this.#letGoOfRoom();
  }

  /** False when there is no room to go on. */
  async #copy(partial: Partial): Promise<boolean> {
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      const count = await this.#stream.read(buffer);
      if (count === 0) return true;
      if (!(await this.#hasRoom(count))) {
        this.#bypass();
        return false;
      }
      const range = { start: this.#written, end: this.#written + count };
      partial.grow(range.end);
      await partial.write(range.start, [buffer.subarray(0, count)]);
      partial.present.add(range);
      this.#written = range.end;
      this.#room.occupies(range.end);
      this.#waits.wake(range);
    }
  }

  async #hasRoom(count: number): Promise<boolean> {
    const needed = this.#written + count;
    if (needed <= this.#reach) return true;
    this.#reach = needed + Math.min(MOST_ROOM, Math.max(LEAST_ROOM, needed));
    return await this.#room.extend(this.#reach);
  }

  /** F9: adopt, then metadata, then leave the map. Readers go on with the adopted partial. */
  async #commit(partial: Partial): Promise<void> {
    const { blobs, record, episodes } = this.#around;
    this.#state = "verifying";
    this.#linger?.cancel();
    this.#lastWrite = await partial.lastWrite();
    this.#end = this.#written;
    this.#waits.wakeAll();
    try {
      await blobs.adopt(partial, this.digest);
      this.#isAdopted = true;
      await record(this.digest, this.#end);
    } catch (error) {
      const facts = { digest: this.digest, reason: messageOf(error) };
      episodes.trouble("commits", facts, "a verified blob could not be committed");
      if (!this.#isAdopted) this.#state = "stalled";
    }
    if (!this.#isAdopted && this.#isStopping) this.#giveUp("The cache is shutting down.");
    if (!this.#isAdopted) return;
    this.#room.occupies(0);
    this.#leave("committed");
    this.#letGoOfRoom();
  }

  #bypass(reason?: GranaryError): void {
    if (this.#failure !== undefined || this.#hasLeft || this.#state === "bypassing") return;
    const facts = { digest: this.digest, reason: reason?.message };
    this.#around.episodes.trouble(
      "blobs are not kept",
      facts,
      "the disk cannot keep this blob: passing it through",
    );
    this.#state = "bypassing";
    this.#room.giveBack();
    this.#stream.close();
    this.#waits.wakeAll();
  }

  #through(range: ByteRange, whole: boolean): PassThrough {
    const { digest, origin, policy } = this.#ask;
    const { clock, random } = this.#around;
    const seed = (offset: number, into: Uint8Array) => this.readAt(offset, into);
    return new PassThrough({ digest, size: undefined, origin, range, whole, seed }, policy, clock, random);
  }

  // --- leaving ---------------------------------------------------------------------------------------------------

  #lastReaderLeft(): void {
    if (this.#hasLeft) void this.#close();
    else if (this.#state === "bypassing" || this.#state === "stalled") {
      const message = `${this.digest} could not be kept.`;
      this.#finish("stalled", new GranaryError("store-full", message));
    } else if (!this.#ask.policy.finish && this.#state !== "verifying") {
      const unread = () => this.#giveUp("Nobody reads it any more.");
      this.#linger ??= this.#around.clock.after(this.#ask.policy.lingerMs, unread);
    }
  }

  #giveUp(why: string): void {
    this.#finish("paused", new GranaryError("closed", why));
  }

  #broke(error: unknown): void {
    if (this.#failure !== undefined || this.#state === "bypassing") return;
    const code = isGranaryError(error) ? error.code : "unexpected";
    const facts = { digest: this.digest, origin: this.#ask.origin.name, code, reason: messageOf(error) };
    const { upstream } = this;
    this.#around.metrics.laneErrors.inc({ upstream, code });
    this.#around.episodes.trouble(`transfers from ${upstream}: ${code}`, facts, "a transfer failed");
    const isWrong = isGranaryError(error, "digest-mismatch");
    if (isWrong) this.#around.metrics.originStrikes.inc({ upstream });
    const message = `Reading ${this.digest} failed: ${messageOf(error)}`;
    const failure = isGranaryError(error) ? error : new GranaryError("upstream-unavailable", message);
    this.#finish(isWrong ? "rejected" : "stalled", failure);
  }

  /** Ends for good, with an error for every reader. */
  #finish(state: FillState, error: GranaryError): void {
    if (this.#failure !== undefined || this.#hasLeft) return;
    this.#failure = error;
    this.#stream.close();
    this.#leave(state);
    this.#waits.wakeAll();
    void this.#close();
  }

  #leave(state: FillState): void {
    this.#state = state;
    this.#hasLeft = true;
    this.#linger?.cancel();
    this.#around.metrics.fillsEnded.inc({ end: state });
    this.#leaveMap(this);
    this.#unpin();
  }

  /** While the stream is read this does nothing: #run comes here when that is over. */
  #close(): Promise<void> {
    if (this.#isBusy || (this.#isAdopted && this.#readers.size > 0)) return Promise.resolve();
    this.#closing ??= this.#letGo();
    return this.#closing;
  }

  /** The last thing it does. */
  async #letGo(): Promise<void> {
    try {
      await this.#stored?.close();
      if (this.#isAdopted) await this.#partial?.close();
      else await this.#discard();
    } catch (error) {
      const facts = { digest: this.digest, reason: messageOf(error) };
      this.#around.episodes.trouble("partials", facts, "a part of a blob could not be removed");
    } finally {
      this.#letGoOfRoom();
    }
  }

  async #discard(): Promise<void> {
    this.#room.occupies(0);
    await this.#partial?.discard();
  }

  #letGoOfRoom(): void {
    this.#room.release();
    this.#markEnded();
  }
}
