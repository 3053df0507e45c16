/**
 * Owns the course of a Fill: the state that it is in, and what moves it from one to the next (fill-state.ts has a drawing). Each state but
 * the final ones has a step, which does its work and moves on. The steps run one after another, so that a file is never closed while it is
 * being opened. Calls from outside only change the state, and end what the running step waits for.
 */
import { GranaryError, messageOf } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { StoredBlob } from "../store/blob-store.ts";
import type { Content } from "./content.ts";
import type { FillAsk, FillSurroundings } from "./fill-ask.ts";
import { FillReaders } from "./fill-reader.ts";
import {
  type Bypassing,
  type Failed,
  type Filling,
  fileOf,
  isOver,
  letGoOf,
  type Opening,
  type Over,
  type Pausing,
  partialIn,
  type Running,
  type Uncommitted,
  type Verifying,
} from "./fill-state.ts";
import type { LaneOrder } from "./lane-order.ts";
import { OpenPartial } from "./open-partial.ts";
import { openBytes } from "./opening.ts";
import { passThrough } from "./pass-through.ts";
import type { Room } from "./room.ts";
import { asFailure, isDiskFailure, type Supply } from "./supply.ts";
import { judge } from "./verdict.ts";

export type CourseParts = {
  readonly ask: FillAsk;
  readonly around: FillSurroundings;
  readonly order: LaneOrder;
  readonly content: Content;
  readonly supply: Supply;
  readonly room: Room;
  /** Called when the fill must no longer be found, in the same tick. */
  readonly leaveMap: () => void;
};

export class FillCourse {
  readonly readers: FillReaders;
  /** Resolves when it is over: its blob is committed, or it has let go of its partial. */
  readonly ended: Promise<void>;
  readonly #markEnded: () => void;
  readonly #parts: CourseParts;
  readonly #digest: Digest;
  #state: Running | Over = { name: "opening" };
  /** Resolves when the state changes or the last reader leaves. */
  #changed = Promise.withResolvers<void>();

  constructor(parts: CourseParts) {
    this.#parts = parts;
    this.#digest = parts.ask.digest;
    const { ask, around, content } = parts;
    const lingerMs = ask.policy.finish ? undefined : ask.policy.lingerMs;
    this.readers = new FillReaders(
      { content, blob: ask, clock: around.clock, lingerMs },
      {
        unreadable: (error) => this.#unreadable(error),
        lastLeft: () => this.#lastLeft(),
        unread: () => this.#unread(),
        purposeChanged: () => parts.order.changed(),
      },
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#markEnded = resolve;
  }

  get state(): Running | Over {
    return this.#state;
  }

  /**
   * The upstream has stated another size than the one this fill goes by: the fill ends, and its bytes are discarded. False, and nothing
   * happens, when all bytes are present already: the digest decides then.
   */
  refute(found: number): boolean {
    if (["verifying", "uncommitted", "committed"].includes(this.#state.name)) return false;
    const expected = this.#parts.ask.size ?? found;
    const message = `${this.#digest} was said to have ${expected} bytes, and has ${found}.`;
    this.#end("rejected", new GranaryError("size-mismatch", message, { expected, found }));
    return true;
  }

  /** The process is stopping: ends now and keeps the bytes fetched so far. Readers get `closed`. A verdict in progress is awaited. */
  async stop(): Promise<void> {
    if (this.#state.name === "verifying") this.#state.isLast = true;
    else this.#end("paused", new GranaryError("closed", "The cache is shutting down."));
    await this.ended;
  }

  // --- the steps ---------------------------------------------------------------------------------------------------

  /** From its first step to the end. Never rejects. */
  async run(): Promise<void> {
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

  /** A failure of the disk: readers go on at the origin, which may work well (F16). Any other failure ends the fill. */
  #stepFailed(error: unknown): void {
    if (isOver(this.#state)) return;
    const isLast = this.#state.name === "verifying" && this.#state.isLast;
    if (isDiskFailure(error) && !isLast) this.#bypass(error);
    else this.#broke(error);
  }

  #broke(error: unknown): void {
    this.#parts.around.log.error({ digest: this.#digest, reason: messageOf(error) }, "a fill failed");
    this.#end("stalled", asFailure(error, `Filling ${this.#digest}`));
  }

  async #open(state: Opening): Promise<void> {
    const { ask, around, room, content } = this.#parts;
    const opened = await openBytes(ask, room, around);
    // The fill ended while the file was being opened: only this step knows of the file.
    if (this.#state !== state) return await letGoOf(opened, this.#state);
    content.show(opened);
    if (opened instanceof OpenPartial) {
      this.#become({ name: "filling", partial: opened });
      return ask.observer?.begun(() => ({ present: content.present.total, size: content.size }));
    }
    content.reveal();
    this.#commit(opened);
  }

  async #fill(state: Filling): Promise<void> {
    this.readers.linger();
    const ended = await this.#parts.supply.work();
    // Before the supply is stopped, the state is changed; that change decides what happens.
    if (this.#state !== state || ended.end === "stopped") return;
    if (ended.end === "whole") this.#become({ name: "verifying", partial: state.partial, isLast: false });
    else if (isDiskFailure(ended.error)) this.#bypass(ended.error);
    else this.#end(ended.end, ended.error);
  }

  /** F13: the bytes fetched so far are saved. If a reader comes meanwhile, the fill goes on. */
  async #pause(state: Pausing): Promise<void> {
    await this.#parts.supply.stop();
    await state.partial.save();
    // No await from here to leaving the map: a reader that came before is counted here, and none can come after (F1).
    if (this.#state !== state) return;
    const isWanted = this.readers.count > 0 || this.#parts.content.isWhole;
    if (isWanted) this.#become({ name: "filling", partial: state.partial });
    else this.#end("paused", new GranaryError("closed", `Nobody reads ${this.#digest} any more.`));
  }

  async #verify(state: Verifying): Promise<void> {
    const { partial } = state;
    const verdict = await judge(partial, { ...this.#parts, digest: this.#digest });
    if (verdict.is === "committed") this.#commit(partial);
    else if (verdict.is === "uncommitted" && !state.isLast)
      this.#become({ name: "uncommitted", partial, reason: verdict.reason });
    else if (verdict.is === "uncommitted") this.#end("stalled", verdict.reason);
    else if (partial.isResumed && !state.isLast) await this.#startOver(partial, verdict.error);
    else this.#end("rejected", verdict.error);
  }

  /** Readers that were given bytes, which may be wrong, fail. The others go on with what is fetched anew. */
  async #startOver(partial: OpenPartial, error: GranaryError): Promise<void> {
    this.readers.failThoseWithBytes(error);
    this.#become({ name: "opening" });
    this.#parts.content.show(undefined);
    await this.#parts.supply.stop();
    await partial.discard();
  }

  async #passBy(state: Bypassing): Promise<void> {
    await this.#parts.supply.stop();
    this.#parts.room.giveBack();
    await this.#untilUnread(state);
  }

  async #untilUnread(state: Uncommitted | Bypassing): Promise<void> {
    while (this.#state === state && this.readers.count > 0) await this.#changed.promise;
    // No await since the readers were counted, so no new one can have come (F1).
    if (this.#state === state) this.#end("stalled", state.reason);
  }

  // --- changes of state --------------------------------------------------------------------------------------------

  #become(state: Running | Over): void {
    this.readers.stopLinger();
    this.#state = state;
    this.#tellChange();
  }

  #tellChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  #lastLeft(): void {
    this.#tellChange();
    if (this.#state.name === "filling") this.readers.linger();
  }

  /** F13: no reader came while the lanes went on after the last one had left. */
  #unread(): void {
    if (this.#state.name !== "filling") return;
    this.#become({ name: "pausing", partial: this.#state.partial });
    void this.#parts.supply.stop();
  }

  /** The disk cannot read what it has written: readers go on at the origin (F16). */
  #unreadable(error: GranaryError): void {
    if (isOver(this.#state)) throw "failure" in this.#state ? this.#state.failure : error;
    // The verdict decides what happens to the fill; this reader need not wait for that.
    if (this.#state.name === "verifying" || this.#state.name === "uncommitted") this.#openDetour();
    else if (this.#state.name !== "bypassing") this.#bypass(error);
  }

  #bypass(reason: GranaryError): void {
    this.#trouble("blobs are not kept", reason, "the disk cannot keep this blob: passing it through");
    this.#become({ name: "bypassing", partial: partialIn(this.#state), reason });
    this.#openDetour();
    void this.#parts.supply.stop();
  }

  #openDetour(): void {
    const { ask, content, supply, around } = this.#parts;
    content.passBy((reading) => {
      const { origin } = supply;
      return origin && passThrough(reading, { ...ask, origin }, content, around);
    });
  }

  #commit(file: OpenPartial | StoredBlob): void {
    // The blob is recorded now, and its bytes are counted there: they must not be counted twice.
    if (file instanceof OpenPartial) this.#parts.room.occupies(0);
    this.#leave({ name: "committed", file });
  }

  /** Ends the fill with an error for every reader. `rejected` discards the bytes fetched so far, anything else keeps them. */
  #end(name: Failed["name"], failure: GranaryError): void {
    if (isOver(this.#state)) return;
    this.#leave({ name, partial: partialIn(this.#state), failure });
    this.#parts.content.fail(failure);
    void this.#parts.supply.stop();
  }

  #leave(state: Over): void {
    this.#become(state);
    const { ask, around, leaveMap } = this.#parts;
    around.metrics.fillsEnded.inc({ end: state.name });
    ask.observer?.ended("failure" in state ? state.failure : undefined);
    leaveMap();
  }

  /** The last thing a fill does. */
  async #letGo(state: Over): Promise<void> {
    if (state.name === "committed") await this.#untilFinished();
    try {
      await this.#parts.supply.stop();
      await letGoOf(fileOf(state), state);
    } catch (error) {
      this.#trouble("partials", error, "the file of a blob could not be closed");
    }
    this.#over();
  }

  /** The fill counts as over now; its readers finish with the file that they have. */
  async #untilFinished(): Promise<void> {
    this.#over();
    while (this.readers.count > 0) await this.#changed.promise;
  }

  #over(): void {
    this.#parts.room.release();
    this.#markEnded();
  }

  #trouble(kind: string, error: unknown, message: string): void {
    this.#parts.around.episodes.trouble(kind, { digest: this.#digest, reason: messageOf(error) }, message);
  }
}
