/**
 * Owns the body of a range that goes on where it was cut: its chunks in order, over as many connections as it takes. It keeps nothing, and
 * checks only what openChecked does. patience.ts decides when to give up.
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import { GranaryError, isGranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import type { OpenedRange, Origin } from "../origin.ts";
import type { Purpose } from "../purpose.ts";
import { sleep } from "../waiting/sleep.ts";
import { type BlobFacts, cutter, openChecked } from "./lane.ts";
import { Patience, type PatiencePolicy } from "./patience.ts";

export type BodyAsk = {
  readonly blob: BlobFacts;
  readonly origin: Origin;
  /** Its end may be infinite when nobody states the size: the blob then ends where the body ends. */
  readonly range: ByteRange;
  /** What it is wanted for. */
  readonly purpose: Purpose;
  /** Some bytes of this blob came before, so it waits longer during an outage. */
  readonly hasBegun: boolean;
};

type Body = {
  readonly opened: OpenedRange;
  readonly chunks: AsyncIterator<Uint8Array>;
  readonly cut: (chunk: Uint8Array, most: number) => Uint8Array;
};

export class ResumingBody {
  readonly #ask: BodyAsk;
  readonly #patience: Patience;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #abort = new AbortController();
  /** The next byte. */
  #at: number;
  /** Infinite until it is known. */
  #end: number;
  #body: Body | undefined;

  constructor(ask: BodyAsk, policy: PatiencePolicy, clock: Clock, random: () => number) {
    this.#ask = ask;
    this.#patience = new Patience(policy, ask.hasBegun);
    this.#clock = clock;
    this.#random = random;
    this.#at = ask.range.start;
    this.#end = ask.range.end;
  }

  /** The next chunk, never empty; undefined after the last byte. Throws `closed`, and a failure that another try would not help. */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#at < this.#end) {
      if (this.#abort.signal.aborted) throw closed();
      const chunk = await this.#pull();
      if (chunk !== undefined && chunk.length > 0) return chunk;
    }
    return undefined;
  }

  /** Ends what is under way. Idempotent. */
  close(): void {
    this.#abort.abort();
    this.#drop();
  }

  /** undefined, or an empty chunk, when this try brought nothing. */
  async #pull(): Promise<Uint8Array | undefined> {
    try {
      this.#body ??= await this.#open();
      const { chunks, cut } = this.#body;
      const next = await chunks.next();
      const chunk = next.done === true ? this.#ended() : cut(next.value, this.#end - this.#at);
      this.#at += chunk?.length ?? 0;
      this.#patience.progressed();
      return chunk;
    } catch (error) {
      this.#drop();
      if (this.#abort.signal.aborted) throw closed();
      await this.#pauseAfter(error);
      return undefined;
    }
  }

  async #open(): Promise<Body> {
    const { origin, blob } = this.#ask;
    const range = { start: this.#at, end: this.#end };
    const opened = await openChecked(origin, range, blob, this.#abort.signal, this.#ask);
    // The origin may state the size although nobody did before.
    if (blob.size === undefined && opened.size !== undefined) this.#end = Math.min(this.#end, opened.size);
    const cut = cutter(this.#at - opened.range.start);
    return { opened, chunks: opened.body[Symbol.asyncIterator](), cut };
  }

  /** The body has ended. For a blob whose size nobody states, that is its end; for any other it is too early. */
  #ended(): undefined {
    if (this.#end !== Number.POSITIVE_INFINITY) {
      const message = `${this.#ask.origin.name} ended at byte ${this.#at} of ${this.#end}.`;
      throw new GranaryError("upstream-unavailable", message);
    }
    this.#end = this.#at;
  }

  #drop(): void {
    // The end of an abandoned body is not awaited, and an error that it throws is of no interest.
    this.#body?.chunks.return?.().catch(() => {});
    this.#body?.opened.dismiss();
    this.#body = undefined;
  }

  /** Waits before the next try. Throws `error` when another try makes no sense. */
  async #pauseAfter(error: unknown): Promise<void> {
    if (isGranaryError(error, "digest-mismatch", "size-mismatch")) throw error;
    const failed = {
      error,
      origin: this.#ask.origin.name,
      now: this.#clock.elapsed(),
      random: this.#random(),
    };
    const judgement = this.#patience.judge(failed);
    if (judgement.next !== "again") throw error;
    await sleep(judgement.afterMs, this.#clock, this.#abort.signal);
  }
}

function closed(): GranaryError {
  return new GranaryError("closed", "The reader was closed.");
}
