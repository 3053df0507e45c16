/**
 * Owns Progress, how far a verb has come, in numbers, and the rules that all verbs keep when they tell it: it only grows, and it ends
 * exactly once, at its total, when the verb has done its work. Text, bars and rates are the caller's.
 */
import type { Clock } from "../../observe/clock.ts";

export type Progress = {
  /**
   * "fetch" counts bytes that came from the Source; "extract" counts entries put in place after that; "verify" bytes that were hashed; "copy"
   * bytes that went into a bundle or came from one.
   */
  readonly phase: "fetch" | "extract" | "verify" | "copy";
  /**
   * Only grows within a phase. One report of a phase, its last, has `done` equal to `total`; a phase that fails or is aborted has none.
   */
  readonly done: number;
  readonly total: number;
};

/** Called from time to time, and once at the end of each phase, when its work is done. What it throws ends the verb. */
export type OnProgress = (progress: Progress) => void;

/** The options that every long verb takes. */
export type VerbOptions = {
  /**
   * Ends the verb within a second, also when a peer is silent; it then rejects with the reason that was given to `abort`, or with
   * `aborted` where none was. The caller owns it.
   */
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Times retries; the real one by default. */
  readonly clock?: Clock;
};

/** One phase of a verb, told to whoever listens. What the listener throws is thrown by the call that told it. */
export class PhaseProgress {
  readonly #phase: Progress["phase"];
  readonly #total: number;
  readonly #onProgress: OnProgress | undefined;
  #done = 0;
  /** What was told last. */
  #told = -1;
  #isOver = false;

  constructor(phase: Progress["phase"], total: number, onProgress: OnProgress | undefined) {
    this.#phase = phase;
    this.#total = total;
    this.#onProgress = onProgress;
  }

  /** So much more is done. It is told, unless it is all: `end` tells that, because until then the work may still fail. */
  add(count: number): void {
    this.#done += count;
    if (this.#isOver || this.#done <= this.#told || this.#done >= this.#total) return;
    this.#told = this.#done;
    this.#onProgress?.({ phase: this.#phase, done: this.#done, total: this.#total });
  }

  /**
   * A listener for a part of the work with its own count, `size` at most. A part that starts over has less than before: what was told
   * stays told.
   */
  part(size: number): (so: Pick<Progress, "done">) => void {
    let counted = 0;
    return ({ done }) => {
      const more = Math.max(0, Math.min(done, size) - counted);
      counted += more;
      this.add(more);
    };
  }

  /** The work is done. Idempotent. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onProgress?.({ phase: this.#phase, done: this.#total, total: this.#total });
  }
}
