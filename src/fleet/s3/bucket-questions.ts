/**
 * Owns how one question is put to the store: within a time, with an end when the bucket is closed, a failure of a bounded kind, and one log line
 * for repeated trouble. It knows no SDK: whoever asks sends.
 */
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import { Episodes } from "../../observe/episodes.ts";
import type { Log } from "../../observe/log.ts";
import { bucketError, nonsenseError, seenOf } from "./bucket-failures.ts";
import type { Question } from "./bucket-patience.ts";
import type { BucketPlace } from "./bucket-settings.ts";

export type BucketObservers = { readonly clock: Clock; readonly log: Log };

/** How a request is to be sent. */
type How = { readonly abortSignal: AbortSignal };

export class BucketQuestions {
  readonly #place: BucketPlace;
  readonly #clock: Clock;
  readonly #episodes: Episodes;
  readonly #closing = new AbortController();

  constructor(place: BucketPlace, { clock, log }: BucketObservers) {
    this.#place = place;
    this.#clock = clock;
    this.#episodes = new Episodes(log, clock);
  }

  /** What `send` gives; undefined where the store says one of `absent`. Throws `fleet-unavailable`, and `closed` after `close`. */
  async ask<T>(
    { doing, withinMs, absent = [] }: Question,
    send: (how: How) => Promise<T>,
  ): Promise<T | undefined> {
    this.throwIfClosed();
    const patience = new AbortController();
    const timer = this.#clock.after(withinMs, () => patience.abort());
    try {
      return await send({ abortSignal: AbortSignal.any([patience.signal, this.#closing.signal]) });
    } catch (error) {
      this.throwIfClosed();
      const seen = patience.signal.aborted ? { code: `nothing within ${withinMs / 1_000} s` } : seenOf(error);
      if (absent.includes(seen.code ?? "")) return undefined;
      throw this.#told(bucketError(doing, this.#place, seen));
    } finally {
      timer.cancel();
    }
  }

  /** What `reading` gives; its failures are logged as those of questions are. */
  async watch<T>(reading: Promise<T>): Promise<T> {
    try {
      return await reading;
    } catch (error) {
      throw this.#told(error);
    }
  }

  /** `facts`, of which an answer must have all. Throws `fleet-unavailable` where one is missing. */
  all<T extends object>(
    facts: T,
    { doing }: Question,
  ): { readonly [Key in keyof T]: Exclude<T[Key], undefined> } {
    const missing = Object.entries(facts).find(([, value]) => value === undefined)?.[0];
    if (missing !== undefined)
      throw this.#told(nonsenseError(doing, this.#place, `left "${missing}" out of its answer`));
    return facts as { readonly [Key in keyof T]: Exclude<T[Key], undefined> };
  }

  /**
   * Where the next page of a list begins; undefined after the last one. A store that names the same place again would be asked for ever: throws
   * `fleet-unavailable`.
   */
  further(
    isMore: boolean,
    before: string | undefined,
    next: string | undefined,
    { doing }: Question,
  ): string | undefined {
    if (!isMore) return undefined;
    if (next !== undefined && next !== before) return next;
    throw this.#told(nonsenseError(doing, this.#place, "did not say where its list goes on"));
  }

  /** Some of many were not done, for the store's reason `code`. */
  partly({ doing }: Question, failed: number, code: string | undefined): GranaryError {
    return this.#told(bucketError(`${doing} (${failed} of them)`, this.#place, { status: 200, code }));
  }

  /** Throws `closed`. */
  throwIfClosed(): void {
    if (this.#closing.signal.aborted) throw new GranaryError("closed", "The fleet's bucket was closed.");
  }

  /** Ends what is being asked. */
  close(): void {
    this.#closing.abort();
  }

  #told<E>(error: E): E {
    if (isGranaryError(error, "fleet-unavailable"))
      this.#episodes.trouble("bucket", { host: this.#place.host }, error.message);
    return error;
  }
}
