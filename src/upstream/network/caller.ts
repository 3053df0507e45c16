/**
 * Owns how one question reaches an upstream: through the circuit, over the endpoints in order, again when that can
 * help. What is asked, and what the answer means, is its callers'.
 */
import { type ErrorCode, GranaryError, isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Circuit, Pass } from "./circuit.ts";
import type { Endpoints } from "./endpoints.ts";
import type { QuestionKey } from "./rate-limits.ts";
import { BUDGET_MS, isUnanswered, retryDelay } from "./retry.ts";

/** Where one attempt goes, and what ends it. */
export type At = {
  /** Base URL without a trailing slash. */
  readonly endpoint: string;
  readonly signal: AbortSignal;
  /** To be called when a redirect has left the upstream. */
  readonly onAbroad: () => void;
};

export type Attempt<T> = (at: At) => Promise<T | undefined>;

export type CallerOptions = {
  readonly name: string;
  readonly circuit: Circuit;
  readonly endpoints: Endpoints;
  readonly clock: Clock;
  /** The client's life. */
  readonly closing: AbortSignal;
};

export class Caller {
  readonly #options: CallerOptions;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  /** True while the upstream is known to be away. */
  get isAway(): boolean {
    return this.#options.circuit.isAway;
  }

  /**
   * One try at each endpoint until one knows an answer; undefined when all say that it is not there. Throws what `attempt`
   * throws; while the circuit is open it throws at once and sends nothing.
   */
  async once<T>(question: QuestionKey, signal: AbortSignal, attempt: Attempt<T>): Promise<T | undefined> {
    const pass = this.#options.circuit.enter(question);
    let isAbroad = false;
    const onAbroad = () => {
      isAbroad = true;
    };
    try {
      const answer = await this.#overEndpoints((endpoint) => attempt({ endpoint, signal, onAbroad }));
      pass.succeeded();
      return answer;
    } catch (error) {
      settle(pass, error, isAbroad);
      throw error;
    }
  }

  /**
   * The same for small, idempotent questions: at most three tries and 30 s in all. An upstream that went away just now is waited for a
   * few seconds: most are back by then, and the client of a cold pull has nothing else.
   */
  async withRetries<T>(question: QuestionKey, attempt: Attempt<T>): Promise<T | undefined> {
    const { clock, name } = this.#options;
    const begunAt = clock.elapsed();
    const budget = new AbortController();
    const timer = clock.after(BUDGET_MS, () => budget.abort());
    try {
      return await this.#tryAgain(question, budget.signal, attempt, begunAt);
    } catch (error) {
      if (!budget.signal.aborted || !isGranaryError(error, "aborted")) throw error;
      throw new GranaryError("upstream-unavailable", `${name} gave no answer in ${BUDGET_MS / 1000} s.`, {
        cause: error,
      });
    } finally {
      timer.cancel();
    }
  }

  async #tryAgain<T>(
    question: QuestionKey,
    signal: AbortSignal,
    attempt: Attempt<T>,
    begunAt: number,
  ): Promise<T | undefined> {
    let seen: unknown;
    for (let tries = 1; ; tries++) {
      try {
        return await this.once(question, signal, attempt);
      } catch (error) {
        const isWaited = isJustGone(error);
        // What was seen of the upstream says more than that it is not asked any more.
        if (!isUnsent(error)) seen = error;
        const spentMs = this.#options.clock.elapsed() - begunAt;
        const tried = { attempt: tries, spentMs, chance: Math.random() };
        const delayMs = isWaited ? LOOK_MS : isUnsent(error) ? undefined : retryDelay(error, tried);
        if (delayMs === undefined || this.#options.closing.aborted) throw seen ?? error;
        // What was not sent is no try.
        if (isWaited) tries -= 1;
        await this.#wait(delayMs);
      }
    }
  }

  async #overEndpoints<T>(attempt: (endpoint: string) => Promise<T | undefined>): Promise<T | undefined> {
    const { endpoints } = this.#options;
    let failure: unknown;
    for (const endpoint of endpoints.order) {
      try {
        const answer = await attempt(endpoint);
        if (answer !== undefined) return answer;
      } catch (error) {
        if (isGranaryError(error, "aborted", "closed", "client-outdated")) throw error;
        if (isGranaryError(error, ...WEAKNESSES)) endpoints.demote(endpoint);
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  }

  /** Ends early when the client closes. */
  #wait(ms: number): Promise<void> {
    const { clock, closing } = this.#options;
    return new Promise((resolve) => {
      const finish = () => {
        timer.cancel();
        closing.removeEventListener("abort", finish);
        resolve();
      };
      const timer = clock.after(ms, finish);
      closing.addEventListener("abort", finish);
    });
  }
}

/** How long a small question waits for an upstream that went away, and how often it looks. */
const RIDE_OUT_MS = 5_000;
const LOOK_MS = 200;

/** Our own refusal: the upstream is known to be away, or to limit us. */
function isUnsent(error: unknown): boolean {
  return isGranaryError(error) && error.facts.unsentForMs !== undefined;
}

function isJustGone(error: unknown): boolean {
  return (
    isGranaryError(error, "upstream-unavailable") && (error.facts.unsentForMs ?? RIDE_OUT_MS) < RIDE_OUT_MS
  );
}

/** Failures that say something about the endpoint, not only about what was asked of it. */
const WEAKNESSES: readonly ErrorCode[] = ["upstream-unavailable", "upstream-protocol", "rate-limited"];

function settle(pass: Pass, error: unknown, isAbroad: boolean): void {
  if (isGranaryError(error, "rate-limited", "upstream-unavailable")) {
    // A dead CDN or token server does not make the registry dead, and their limits are not its own: manifests are still to be had.
    if (isAbroad && (isUnanswered(error) || error.code === "rate-limited")) pass.abandoned();
    else pass.failed(error);
    return;
  }
  if (isGranaryError(error) && error.facts.upstreamStatus !== undefined) pass.succeeded();
  else pass.abandoned();
}
