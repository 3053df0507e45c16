/**
 * Owns whether the fleet's database answers: one failure to reach it is enough to ask it nothing more until a try has succeeded. The first try
 * is made at once, and only when that fails too the database counts as away: one connection that broke, or one question that took too long, is
 * no outage. Further tries are made by whoever asks, in the background and at most once a second, so that nobody waits. It asks nothing itself.
 */
import { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import { Episodes } from "../../observe/episodes.ts";
import type { Log } from "../../observe/log.ts";
import { awayError, databaseError } from "./postgres-error.ts";

export type AnsweringOptions = {
  readonly log: Log;
  readonly clock: Clock;
  /** What messages call the server. */
  readonly host: string;
  /** Whether it can be used again: throws when not. */
  readonly attempt: () => Promise<void>;
};

type Away = {
  /** Why it cannot be used. */
  error: GranaryError | undefined;
  /** Of the clock's `elapsed`. */
  readonly since: number;
  /** A try has failed as well, and those who listen have heard of it. */
  isCertain: boolean;
};

const TRY_EVERY_MS = 1_000;
const TROUBLE = "the fleet's database";

export class Answering {
  readonly #options: AnsweringOptions;
  readonly #episodes: Episodes;
  readonly #listeners = new Set<(isAnswering: boolean) => void>();
  #away: Away | undefined;
  #triedAt = Number.NEGATIVE_INFINITY;
  #trying: Promise<void> | undefined;

  /** It counts as away until the first try. */
  constructor(options: AnsweringOptions) {
    this.#options = options;
    this.#episodes = new Episodes(options.log, options.clock, Number.POSITIVE_INFINITY);
    this.#away = { error: undefined, since: options.clock.elapsed(), isCertain: true };
  }

  get isAnswering(): boolean {
    return this.#away?.isCertain !== true;
  }

  onChange(listener: (isAnswering: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** For whoever is about to ask: throws `fleet-unavailable` while it does not answer, and sees to the next try. */
  expect(): void {
    if (this.#away === undefined) return;
    const { host, clock } = this.#options;
    const forMs = clock.elapsed() - this.#away.since;
    if (clock.elapsed() - this.#triedAt >= TRY_EVERY_MS) void this.tryAgain();
    const { message, facts } = this.#away.error ?? awayError(host, "it was not reached yet");
    throw new GranaryError("fleet-unavailable", message, {
      ...facts,
      isUnreachable: true,
      unsentForMs: forMs,
    });
  }

  /** It could not be reached: it is looked for at once. */
  failed(error: GranaryError): void {
    if (this.#away !== undefined) return;
    this.#away = { error, since: this.#options.clock.elapsed(), isCertain: false };
    void this.tryAgain();
  }

  /** Looks whether it can be used; one look at a time. Never rejects: what went wrong is `lastError`. */
  tryAgain(): Promise<void> {
    this.#triedAt = this.#options.clock.elapsed();
    this.#trying ??= this.#attempt().finally(() => {
      this.#trying = undefined;
    });
    return this.#trying;
  }

  /** Why the last try failed; undefined while it answers. */
  get lastError(): GranaryError | undefined {
    return this.#away?.error;
  }

  async #attempt(): Promise<void> {
    try {
      await this.#options.attempt();
      this.#isBack();
    } catch (cause) {
      const error = databaseError(cause, this.#options.host);
      if (error.code !== "closed") this.#isStillAway(error);
    }
  }

  #isBack(): void {
    const wasAway = this.#away?.isCertain === true;
    this.#away = undefined;
    this.#episodes.over(TROUBLE);
    if (wasAway) this.#announce(true);
  }

  #isStillAway(error: GranaryError): void {
    this.#away ??= { error, since: this.#options.clock.elapsed(), isCertain: false };
    this.#away.error = error;
    this.#tell(error);
    if (this.#away.isCertain) return;
    this.#away.isCertain = true;
    this.#announce(false);
  }

  #announce(isAnswering: boolean): void {
    for (const listener of this.#listeners) listener(isAnswering);
  }

  #tell(error: GranaryError): void {
    const after = "Until it answers this node goes on alone";
    this.#episodes.trouble(TROUBLE, { code: error.code }, `${error.message} ${after}.`);
  }
}
