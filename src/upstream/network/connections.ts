/**
 * Owns how many connections to one host are open at once. There is no limit until the host refuses a connection while it serves others;
 * from then on requests wait here for their turn instead of being refused there: small questions first, then what is wanted most urgently,
 * and of equals the oldest. Where many are asked for in one moment, the first refusals come before the first answer: what they mean is seen by
 * what becomes of the others. A refusal beside which nothing is served is an ordinary failure. It opens no connection itself.
 */
import { isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Crowd, WantedFor } from "../../origin.ts";
import { rankOf } from "../../purpose.ts";
import { abortedError, onAbort } from "../../waiting/abort.ts";
import { CONNECTION_RETRIES } from "../../waiting/retry-numbers.ts";

type Waiting = {
  readonly go: () => void;
  /** undefined for a small question. */
  readonly wantedFor: WantedFor | undefined;
};

export class Connections {
  readonly #clock: Clock;
  /** Requests under way: asked, or answered and with a body that is being read. */
  #open = 0;
  #answered = 0;
  #most = Number.POSITIVE_INFINITY;
  #refusedAt = 0;
  #queue: Waiting[] = [];
  /** Called with true at the next answer, and with false when nothing that was asked for can be answered any more. */
  readonly #undecided = new Set<(isServed: boolean) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An answer of this host is being read. */
  get isServing(): boolean {
    return this.#answered > 0;
  }

  /** undefined while no limit is known. */
  get crowd(): Crowd | undefined {
    if (this.#most === Number.POSITIVE_INFINITY) return undefined;
    return { most: this.#most, queued: this.#queue.length };
  }

  /**
   * Runs `attempt` when there is room for it, and again after a refusal that only shows a limit. `whenOver` gets the function to call when
   * the connection of the answer is free again. `wantedFor` is undefined for a small question, which goes before everything that waits.
   * Throws what `attempt` throws, and `aborted` when `signal` ends the wait.
   */
  async use<T>(
    attempt: () => Promise<T>,
    whenOver: (answer: T, free: () => void) => void,
    signal: AbortSignal,
    wantedFor: WantedFor | undefined,
  ): Promise<T> {
    for (let away = 0; ; ) {
      await this.#turn(signal, wantedFor);
      try {
        const answer = await attempt();
        this.#wasAnswered();
        whenOver(answer, () => this.#free(true));
        return answer;
      } catch (error) {
        away += isTurnedAway(error) ? 1 : 0;
        const isLimit = away <= CONNECTION_RETRIES.timesTurnedAway && this.#showsLimit(error);
        this.#free(false);
        if (away > CONNECTION_RETRIES.timesTurnedAway) throw error;
        if (!isLimit && !(await this.#isServedBeside(error, signal))) throw error;
      }
    }
  }

  #wasAnswered(): void {
    this.#answered += 1;
    if (this.#undecided.size > 0) {
      // Those that are left of the ones that were asked for together are the ones that were taken.
      this.#lowerTo(this.#open);
      this.#decide(true);
    }
    // It was asked for before the limit was known, and given nevertheless.
    this.#most = Math.max(this.#most, this.#answered);
  }

  /** Whether another request, which was under way when this one was refused, is served: then the refusal shows a limit. */
  #isServedBeside(error: unknown, signal: AbortSignal): Promise<boolean> {
    if (this.#open === 0) this.#decide(false);
    if (this.#open === 0 || !isRefusal(error)) return Promise.resolve(false);
    return new Promise((resolve) => {
      let stopListening: () => void = () => undefined;
      const settle = (isServed: boolean) => {
        this.#undecided.delete(settle);
        timer.cancel();
        stopListening();
        resolve(isServed);
      };
      this.#undecided.add(settle);
      const timer = this.#clock.after(CONNECTION_RETRIES.undecidedMs, () => settle(false));
      stopListening = onAbort(signal, () => settle(false));
    });
  }

  #decide(isServed: boolean): void {
    for (const settle of [...this.#undecided]) settle(isServed);
  }

  /** No await before the place is taken: requests of the same tick must see each other. */
  #turn(signal: AbortSignal, wantedFor: WantedFor | undefined): Promise<void> | void {
    this.#raise();
    if (this.#open < this.#most && (wantedFor === undefined || this.#queue.length === 0)) {
      this.#open += 1;
      return;
    }
    return new Promise((resolve, reject) => {
      let stopListening: () => void = () => undefined;
      const waiting: Waiting = {
        go: () => {
          stopListening();
          resolve();
        },
        wantedFor,
      };
      this.#queue.push(waiting);
      stopListening = onAbort(signal, () => {
        this.#queue = this.#queue.filter((other) => other !== waiting);
        reject(abortedError(signal, "a request that waited for a connection"));
      });
    });
  }

  #free(wasAnswered: boolean): void {
    this.#open -= 1;
    if (wasAnswered) this.#answered -= 1;
    this.#raise();
    while (this.#open < this.#most && this.#queue.length > 0) {
      this.#open += 1;
      this.#next()?.go();
    }
  }

  #next(): Waiting | undefined {
    const urgencies = this.#queue.map(({ wantedFor }) =>
      wantedFor === undefined ? -1 : rankOf(wantedFor.purpose),
    );
    const [first] = this.#queue.splice(urgencies.indexOf(Math.min(...urgencies)), 1);
    return first;
  }

  /** True when a connection was refused while others are served: the host gives no more than those. */
  #showsLimit(error: unknown): boolean {
    if (!isRefusal(error) || this.#answered === 0) return false;
    // Requests under way may be refused as well, so only those that are being served count.
    this.#lowerTo(this.#answered);
    return true;
  }

  /** A limit that is known goes down one by one: what was seen of a moment may be the end of a crowd, and not what the host gives. */
  #lowerTo(seen: number): void {
    const least = this.#most === Number.POSITIVE_INFINITY ? 1 : this.#most - 1;
    this.#most = Math.max(1, least, Math.min(this.#most, seen));
    this.#refusedAt = this.#clock.elapsed();
  }

  #raise(): void {
    const sinceMs = this.#clock.elapsed() - this.#refusedAt;
    if (this.#open === 0 && sinceMs > CONNECTION_RETRIES.forgetMs) this.#most = Number.POSITIVE_INFINITY;
    if (
      this.#most === Number.POSITIVE_INFINITY ||
      sinceMs < CONNECTION_RETRIES.raiseMs ||
      this.#queue.length === 0
    )
      return;
    this.#most += 1;
    this.#refusedAt = this.#clock.elapsed();
  }
}

/** Nothing of the request was read, as far as anybody can know. */
function isRefusal(error: unknown): boolean {
  return isTurnedAway(error) || (isGranaryError(error) && error.facts.isUnreachable === true);
}

function isTurnedAway(error: unknown): boolean {
  return isGranaryError(error) && error.facts.isTurnedAway === true;
}
