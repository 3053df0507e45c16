/**
 * Owns how many connections to one host are open at once. As long as it gives every one that is asked for, there is no limit; a refusal
 * while others are served shows one, and then requests wait for their turn here in place of being refused there. Where
 * nobody is served a refusal is what it is. It opens nothing itself.
 */
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Crowd } from "../../origin.ts";

/** After this long without another refusal one connection more is tried. */
const RAISE_MS = 5_000;
/** A limit that nothing was asked under for this long is forgotten. */
const FORGET_MS = 30_000;

type Waiting = { readonly go: () => void };

export class Connections {
  readonly #clock: Clock;
  /** Requests under way: asked, or answered and with a body that is being read. */
  #open = 0;
  #answered = 0;
  #most = Number.POSITIVE_INFINITY;
  #refusedAt = 0;
  #queue: Waiting[] = [];

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
   * Runs `attempt` when there is a place for it, again after a refusal that only shows a limit. `whenOver` is told what to call when the
   * connection of the answer is free again. `isUrgent` goes before what waits. Throws what `attempt` throws, `aborted` when `signal` ends the
   * wait.
   */
  async use<T>(
    attempt: () => Promise<T>,
    whenOver: (answer: T, free: () => void) => void,
    signal: AbortSignal,
    isUrgent: boolean,
  ): Promise<T> {
    for (;;) {
      await this.#turn(signal, isUrgent);
      try {
        const answer = await attempt();
        this.#answered += 1;
        // Asked before the limit showed, and given all the same.
        this.#most = Math.max(this.#most, this.#answered);
        whenOver(answer, () => this.#free(true));
        return answer;
      } catch (error) {
        const isLimit = this.#showsLimit(error);
        this.#free(false);
        if (!isLimit) throw error;
      }
    }
  }

  /** No await before the place is taken: requests of one tick see each other. */
  #turn(signal: AbortSignal, isUrgent: boolean): Promise<void> | void {
    this.#raise();
    if (this.#open < this.#most && (isUrgent || this.#queue.length === 0)) {
      this.#open += 1;
      return;
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#queue = this.#queue.filter((other) => other !== waiting);
        reject(new GranaryError("aborted", "A request that waited for a connection was given up."));
      };
      const waiting: Waiting = {
        go: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      if (isUrgent) this.#queue.unshift(waiting);
      else this.#queue.push(waiting);
      if (signal.aborted) leave();
    });
  }

  #free(wasAnswered: boolean): void {
    this.#open -= 1;
    if (wasAnswered) this.#answered -= 1;
    this.#raise();
    while (this.#open < this.#most && this.#queue.length > 0) {
      this.#open += 1;
      this.#queue.shift()?.go();
    }
  }

  /** A connection was refused while others are served: there are no more to be had than those. */
  #showsLimit(error: unknown): boolean {
    if (!isGranaryError(error) || error.facts.isUnreachable !== true || this.#answered === 0) return false;
    // Others that are under way may be refused as well: only those that are served have shown that there is a place for them.
    this.#most = Math.max(1, Math.min(this.#most, this.#answered));
    this.#refusedAt = this.#clock.elapsed();
    return true;
  }

  #raise(): void {
    const sinceMs = this.#clock.elapsed() - this.#refusedAt;
    if (this.#open === 0 && sinceMs > FORGET_MS) this.#most = Number.POSITIVE_INFINITY;
    if (this.#most === Number.POSITIVE_INFINITY || sinceMs < RAISE_MS || this.#queue.length === 0) return;
    this.#most += 1;
    this.#refusedAt = this.#clock.elapsed();
  }
}
