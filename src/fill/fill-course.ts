/**
 * Owns the course of a Fill: the state that it is in, and what moves it from one to the next (fill-state.ts draws them). Each state but
 * the last ones has a step, which does its work and moves on; the steps run one after another, so that nothing is let go of while it
 * is being opened. Calls from outside only change the state, and end what the running step waits for.
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
import { OpenPartial } from "./open-partial.ts";
import { openBytes } from "./opening.ts";
import { passThrough } from "./pass-through.ts";
import type { Room } from "./room.ts";
import { asFailure, isDiskFailure, type Supply } from "./supply.ts";
import { judge } from "./verdict.ts";

export type CourseParts = {
  readonly ask: FillAsk;
  readonly around: FillSurroundings;
  readonly content: Content;
  readonly supply: Supply;
  readonly room: Room;
  /** Called in the tick in which the fill may no longer be found. */
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
   * Its size is not that of the blob, as the upstream has said by now: it ends, and what it has goes. False when its digest is
   * being looked at already, which says more.
   */
  refute(found: number): boolean {
    if (["verifying", "uncommitted", "committed"].includes(this.#state.name)) return false;
    const expected = this.#parts.ask.size ?? found;
    const message = `${this.#digest} was said to have ${expected} bytes, and has ${found}.`;
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

  /** The disk's fault is not the origin's: readers need not suffer from it (F16). */
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
    // Ended while it opened: nobody else knows of it.
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
    // Whoever stops the supply changes the state before.
    if (this.#state !== state || ended.end === "stopped") return;
    if (ended.end === "whole") this.#become({ name: "verifying", partial: state.partial, isLast: false });
    else if (isDiskFailure(ended.error)) this.#bypass(ended.error);
    else this.#end(ended.end, ended.error);
  }

  /** F13: what is here is saved. A reader that comes meanwhile finds the fill going on. */
  async #pause(state: Pausing): Promise<void> {
    await this.#parts.supply.stop();
    await state.partial.save();
    // No await from here to leaving the map: a reader() before this point is seen here, after it none finds us (F1).
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

  /** Who was given doubtful bytes fails; who was given none goes on, with what is fetched anew. */
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
    // No await since the readers were counted: whoever comes later does not find us (F1).
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

  /** F13: nobody has come back while lanes went on. */
  #unread(): void {
    if (this.#state.name !== "filling") return;
    this.#become({ name: "pausing", partial: this.#state.partial });
    void this.#parts.supply.stop();
  }

  /** A disk that cannot give back what it took is no outage either (F16): whoever reads goes on at the origin. */
  #unreadable(error: GranaryError): void {
    if (isOver(this.#state)) throw "failure" in this.#state ? this.#state.failure : error;
    // The verdict decides what becomes of the fill; this reader need not wait for it.
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
    // Only now that it is recorded others count its bytes.
    if (file instanceof OpenPartial) this.#parts.room.occupies(0);
    this.#leave({ name: "committed", file });
  }

  /** For good, with an error for every reader; `rejected` discards what is here, anything else keeps it. */
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

  /** Its readers go on with the file that they have; nobody else needs to wait for that. */
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
