/**
 * Owns which state a Fill is in, and every change of it (fill-state.ts has a drawing): what readers, the supply, the map and the metrics hear
 * of it. Readers and people only change the state; its work is then done by a step of fill-course.ts. Each change is complete in the tick in
 * which it is asked for: nothing here may await anything.
 */
import { GranaryError, messageOf } from "../errors.ts";
import type { StoredBlob } from "../store/blob-store.ts";
import type { Content } from "./content.ts";
import type { FillAsk, FillSurroundings } from "./fill-ask.ts";
import { FillReaders } from "./fill-reader.ts";
import { type Failed, isOver, type Over, partialIn, type Running } from "./fill-state.ts";
import type { LaneOrder } from "./lane-order.ts";
import { OpenPartial } from "./open-partial.ts";
import { passThrough } from "./pass-through.ts";
import type { Room } from "./room.ts";
import type { Supply } from "./supply.ts";

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

export class CurrentState {
  readonly readers: FillReaders;
  readonly #parts: CourseParts;
  #state: Running | Over = { name: "opening" };
  #changed = Promise.withResolvers<void>();

  constructor(parts: CourseParts) {
    this.#parts = parts;
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
  }

  get state(): Running | Over {
    return this.#state;
  }

  /** Resolves when the state changes or the last reader leaves. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  // --- what the steps change ---------------------------------------------------------------------------------------

  become(state: Running | Over): void {
    this.readers.stopLinger();
    this.#state = state;
    this.#tellChange();
  }

  /** The disk cannot keep the blob: readers go on at the origin (F16). */
  bypass(reason: GranaryError): void {
    const { around, supply } = this.#parts;
    const facts = { digest: this.#parts.ask.digest, reason: messageOf(reason) };
    around.episodes.trouble(
      "blobs are not kept",
      facts,
      "the disk cannot keep this blob: passing it through",
    );
    this.become({ name: "bypassing", partial: partialIn(this.#state), reason });
    this.#openDetour();
    void supply.stop();
  }

  commit(file: OpenPartial | StoredBlob): void {
    // The blob is recorded now, and its bytes are counted there: they must not be counted twice.
    if (file instanceof OpenPartial) this.#parts.room.occupies(0);
    this.#leave({ name: "committed", file });
  }

  /** Ends the fill with an error for every reader. `rejected` discards the bytes fetched so far, anything else keeps them. */
  end(name: Failed["name"], failure: GranaryError): void {
    if (isOver(this.#state)) return;
    this.#leave({ name, partial: partialIn(this.#state), failure });
    this.#parts.content.fail(failure);
    void this.#parts.supply.stop();
  }

  #leave(state: Over): void {
    this.become(state);
    const { ask, around, leaveMap } = this.#parts;
    around.metrics.fillsEnded.inc({ end: state.name });
    around.follower?.ended(ask, state.name);
    ask.observer?.ended("failure" in state ? state.failure : undefined);
    leaveMap();
  }

  // --- what others change ------------------------------------------------------------------------------------------

  /** See FillCourse. */
  refute(found: number): boolean {
    if (["verifying", "uncommitted", "committed"].includes(this.#state.name)) return false;
    const { digest, size: expected = found } = this.#parts.ask;
    const message = `${digest} was said to have ${expected} bytes, and has ${found}.`;
    this.end("rejected", new GranaryError("size-mismatch", message, { expected, found }));
    return true;
  }

  /** The process is stopping: the fill ends now, or after a verdict that is in progress. */
  stop(): void {
    if (this.#state.name === "verifying") this.#state.isLast = true;
    else this.end("paused", new GranaryError("closed", "The cache is shutting down."));
  }

  #lastLeft(): void {
    this.#tellChange();
    if (this.#state.name === "filling") this.readers.linger();
  }

  /** F13: no reader came while the lanes went on after the last one had left. */
  #unread(): void {
    if (this.#state.name !== "filling") return;
    this.become({ name: "pausing", partial: this.#state.partial });
    void this.#parts.supply.stop();
  }

  /** The disk cannot read what it has written: readers go on at the origin (F16). */
  #unreadable(error: GranaryError): void {
    if (isOver(this.#state)) throw "failure" in this.#state ? this.#state.failure : error;
    // The verdict decides what happens to the fill; this reader need not wait for that.
    if (this.#state.name === "verifying" || this.#state.name === "uncommitted") this.#openDetour();
    else if (this.#state.name !== "bypassing") this.bypass(error);
  }

  #openDetour(): void {
    const { ask, content, supply, around } = this.#parts;
    content.passBy((reading) => {
      const { origin } = supply;
      return origin && passThrough(reading, { ...ask, origin }, content, around);
    });
  }

  #tellChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
