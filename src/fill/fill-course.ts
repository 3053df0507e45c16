/**
 * Owns the course of a Fill: the work of the state that it is in. Each state but the final ones has a step, which does its work and moves on
 * to the next state (fill-state.ts has a drawing). The steps run one after another, so that a file is never closed while it is being opened.
 * What others change meanwhile (current-state.ts) ends what the running step waits for. The course itself fetches and compares no bytes.
 */
import { GranaryError, messageOf } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { type CourseParts, CurrentState } from "./current-state.ts";
import type { FillReaders } from "./fill-reader.ts";
import {
  type Bypassing,
  type Filling,
  fileOf,
  isOver,
  letGoOf,
  type Opening,
  type Over,
  type Pausing,
  type Running,
  type Uncommitted,
  type Verifying,
} from "./fill-state.ts";
import { OpenPartial } from "./open-partial.ts";
import { openBytes } from "./opening.ts";
import { asFailure, isDiskFailure } from "./supply.ts";
import { judge } from "./verdict.ts";

export class FillCourse {
  /** Resolves when it is over: its blob is committed, or it has let go of its partial. */
  readonly ended: Promise<void>;
  readonly #markEnded: () => void;
  readonly #parts: CourseParts;
  readonly #digest: Digest;
  readonly #current: CurrentState;

  constructor(parts: CourseParts) {
    this.#parts = parts;
    this.#digest = parts.ask.digest;
    this.#current = new CurrentState(parts);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#markEnded = resolve;
  }

  get readers(): FillReaders {
    return this.#current.readers;
  }

  get state(): Running | Over {
    return this.#current.state;
  }

  /**
   * The upstream has stated another size than the one this fill goes by: the fill ends, and its bytes are discarded. False, and nothing
   * happens, when all bytes are present already: the digest decides then.
   */
  refute(found: number): boolean {
    return this.#current.refute(found);
  }

  /** The process is stopping: ends now and keeps the bytes fetched so far. Readers get `closed`. A verdict in progress is awaited. */
  async stop(): Promise<void> {
    this.#current.stop();
    await this.ended;
  }

  // --- the steps ---------------------------------------------------------------------------------------------------

  /** From its first step to the end. Never rejects. */
  async run(): Promise<void> {
    for (;;) {
      const state = this.state;
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
    if (isOver(this.state)) return;
    const isLast = this.state.name === "verifying" && this.state.isLast;
    if (isDiskFailure(error) && !isLast) this.#current.bypass(error);
    else this.#broke(error);
  }

  #broke(error: unknown): void {
    this.#parts.around.log.error({ digest: this.#digest, reason: messageOf(error) }, "a fill failed");
    this.#current.end("stalled", asFailure(error, `Filling ${this.#digest}`));
  }

  async #open(state: Opening): Promise<void> {
    const { ask, around, room, content } = this.#parts;
    const opened = await openBytes(ask, room, around);
    // The fill ended while the file was being opened: only this step knows of the file.
    if (this.state !== state) return await letGoOf(opened, this.state);
    content.show(opened);
    if (opened instanceof OpenPartial) {
      this.#current.become({ name: "filling", partial: opened });
      const { digest, upstream } = ask;
      const { size, present } = content;
      around.follower?.begun({ digest, upstream, size, present, read: (at, into) => opened.read(at, into) });
      return ask.observer?.begun(() => ({ present: content.present.total, size: content.size }));
    }
    content.reveal();
    this.#current.commit(opened);
  }

  async #fill(state: Filling): Promise<void> {
    this.readers.linger();
    const ended = await this.#parts.supply.work();
    // Before the supply is stopped, the state is changed; that change decides what happens.
    if (this.state !== state || ended.end === "stopped") return;
    if (ended.end === "whole")
      this.#current.become({ name: "verifying", partial: state.partial, isLast: false });
    else if (isDiskFailure(ended.error)) this.#current.bypass(ended.error);
    else this.#current.end(ended.end, ended.error);
  }

  /** F13: the bytes fetched so far are saved. If a reader comes meanwhile, the fill goes on. */
  async #pause(state: Pausing): Promise<void> {
    await this.#parts.supply.stop();
    await state.partial.save();
    // No await from here to leaving the map: a reader that came before is counted here, and none can come after (F1).
    if (this.state !== state) return;
    const isWanted = this.readers.count > 0 || this.#parts.content.isWhole;
    if (isWanted) this.#current.become({ name: "filling", partial: state.partial });
    else this.#current.end("paused", new GranaryError("closed", `Nobody reads ${this.#digest} any more.`));
  }

  async #verify(state: Verifying): Promise<void> {
    const { partial } = state;
    const verdict = await judge(partial, { ...this.#parts, digest: this.#digest });
    if (verdict.is === "committed") this.#current.commit(partial);
    else if (verdict.is === "uncommitted" && !state.isLast)
      this.#current.become({ name: "uncommitted", partial, reason: verdict.reason });
    else if (verdict.is === "uncommitted") this.#current.end("stalled", verdict.reason);
    else if (!state.isLast && this.#mayComeRight(partial)) await this.#startOver(partial, verdict.error);
    else this.#current.end("rejected", verdict.error);
  }

  /** The wrong bytes may be of an earlier fill (F10), or of somebody who keeps them for the origin: the origin itself is asked for all of it then. */
  #mayComeRight({ isResumed }: OpenPartial): boolean {
    const isDoubted = this.#parts.supply.origin?.doubt?.() === true;
    return isResumed || isDoubted;
  }

  /** Readers that were given bytes, which may be wrong, fail. The others go on with what is fetched anew. */
  async #startOver(partial: OpenPartial, error: GranaryError): Promise<void> {
    this.readers.failThoseWithBytes(error);
    this.#current.become({ name: "opening" });
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
    while (this.state === state && this.readers.count > 0) await this.#current.changed;
    // No await since the readers were counted, so no new one can have come (F1).
    if (this.state === state) this.#current.end("stalled", state.reason);
  }

  /** The last thing a fill does. */
  async #letGo(state: Over): Promise<void> {
    if (state.name === "committed") await this.#untilFinished();
    try {
      await this.#parts.supply.stop();
      await letGoOf(fileOf(state), state);
    } catch (error) {
      const facts = { digest: this.#digest, reason: messageOf(error) };
      this.#parts.around.episodes.trouble("partials", facts, "the file of a blob could not be closed");
    }
    this.#over();
  }

  /** The fill counts as over now; its readers finish with the file that they have. */
  async #untilFinished(): Promise<void> {
    this.#over();
    while (this.readers.count > 0) await this.#current.changed;
  }

  #over(): void {
    this.#parts.room.release();
    this.#markEnded();
  }
}
