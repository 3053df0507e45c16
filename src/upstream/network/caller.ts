/**
 * Owns how one question reaches an upstream: through the circuit, to the endpoints in their order, and again where that can help
 * (docs/protocol.md#retries). Only idempotent questions are asked again (HEAD, GET of small answers); the body of a blob is resumed by its
 * Fill. What is asked and what the answer means is for its callers.
 */
import { type ErrorCode, GranaryError, isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import { QUESTION_RETRIES } from "../../waiting/retry-numbers.ts";
import { sleep } from "../../waiting/sleep.ts";
import type { Circuit, Pass } from "./circuit.ts";
import type { Endpoints } from "./endpoints.ts";
import type { OfflineSwitch } from "./offline-switch.ts";
import type { QuestionKey } from "./rate-limits.ts";

/** Where one attempt goes, and what ends it. */
export type At = {
  /** Base URL without a trailing slash. */
  readonly endpoint: string;
  readonly signal: AbortSignal;
  /** To be called when a redirect leads to another host. */
  readonly onAbroad: () => void;
};

export type Attempt<T> = (at: At) => Promise<T | undefined>;

export type CallerOptions = {
  readonly name: string;
  readonly circuit: Circuit;
  readonly offline: OfflineSwitch;
  readonly endpoints: Endpoints;
  readonly clock: Clock;
  /** The client's life. */
  readonly closing: AbortSignal;
};

type Tried = {
  /** 1 for the first. */
  readonly attempt: number;
  /** Milliseconds since the first try began. */
  readonly spentMs: number;
  /** In `[0, 1)`. */
  readonly chance: number;
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
   * One try at each endpoint until one answers; undefined when all say that it is not there. Throws what `attempt` throws. While the circuit
   * is open it throws at once and sends nothing.
   */
  async once<T>(question: QuestionKey, signal: AbortSignal, attempt: Attempt<T>): Promise<T | undefined> {
    const { circuit, offline } = this.#options;
    // Before the circuit: that we ask nothing is no news of the upstream.
    if (offline.refusal !== undefined) throw offline.refusal;
    const pass = circuit.enter(question);
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
   * The same for small, idempotent questions, with the tries and waits of QUESTION_RETRIES. An upstream that went away a moment ago is waited
   * for: most are back within seconds, and the client of a cold pull has nothing else.
   */
  async withRetries<T>(question: QuestionKey, attempt: Attempt<T>): Promise<T | undefined> {
    const { clock, name } = this.#options;
    const begunAt = clock.elapsed();
    const budget = new AbortController();
    const timer = clock.after(QUESTION_RETRIES.budgetMs, () => budget.abort());
    try {
      return await this.#tryAgain(question, budget.signal, attempt, begunAt);
    } catch (error) {
      if (!budget.signal.aborted || !isGranaryError(error, "aborted")) throw error;
      throw new GranaryError(
        "upstream-unavailable",
        `${name} gave no answer in ${QUESTION_RETRIES.budgetMs / 1000} s.`,
        {
          cause: error,
        },
      );
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
    const { clock, closing } = this.#options;
    let seen: unknown;
    for (let tries = 1; ; tries++) {
      try {
        return await this.once(question, signal, attempt);
      } catch (error) {
        const isWaited = isJustGone(error);
        // A failure of the upstream itself explains more than our refusal to ask it again.
        if (!isUnsent(error)) seen = error;
        const spentMs = clock.elapsed() - begunAt;
        const tried = { attempt: tries, spentMs, chance: Math.random() };
        const delayMs = isWaited
          ? QUESTION_RETRIES.lookMs
          : isUnsent(error)
            ? undefined
            : retryDelay(error, tried);
        if (delayMs === undefined || closing.aborted) throw seen ?? error;
        // Nothing was sent, so this does not count as a try.
        if (isWaited) tries -= 1;
        await sleep(delayMs, clock, closing);
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
}

/** True for our own refusal to ask: the upstream is known to be away, or to limit us. */
function isUnsent(error: unknown): boolean {
  return isGranaryError(error) && error.facts.unsentForMs !== undefined;
}

function isJustGone(error: unknown): boolean {
  const { rideOutMs } = QUESTION_RETRIES;
  return isGranaryError(error, "upstream-unavailable") && (error.facts.unsentForMs ?? rideOutMs) < rideOutMs;
}

/** Failures that say something about the endpoint itself, and not only about what it was asked. */
const WEAKNESSES: readonly ErrorCode[] = ["upstream-unavailable", "upstream-protocol", "rate-limited"];

function settle(pass: Pass, error: unknown, isAbroad: boolean): void {
  if (!isUnsent(error) && isGranaryError(error, "rate-limited", "upstream-unavailable")) {
    // When a CDN or a token server is down or limits us, the registry itself can still be asked for manifests.
    if (isAbroad && (isUnanswered(error) || error.code === "rate-limited")) pass.abandoned();
    else pass.failed(error);
    return;
  }
  if (isGranaryError(error) && error.facts.upstreamStatus !== undefined) pass.succeeded();
  else pass.abandoned();
}

/**
 * Milliseconds to wait before the next try; undefined when there should be none: the failure will not pass, the tries are used up, or the
 * wait does not fit into the budget. Pure: time and chance are passed in.
 */
export function retryDelay(error: unknown, { attempt, spentMs, chance }: Tried): number | undefined {
  if (attempt >= QUESTION_RETRIES.tries || !isGranaryError(error, "upstream-unavailable")) return undefined;
  // What went round in a circle would do so again.
  if (error.facts.upstreamStatus === 508) return undefined;
  const delayMs = Math.max(error.facts.retryAfterMs ?? 0, backOff(attempt, chance));
  return spentMs + delayMs < QUESTION_RETRIES.budgetMs ? delayMs : undefined;
}

/** True when nothing answered in HTTP: the connection, TLS or the wait for headers failed. */
function isUnanswered(error: GranaryError): boolean {
  return error.code === "upstream-unavailable" && error.facts.upstreamStatus === undefined;
}

function backOff(attempt: number, chance: number): number {
  const { firstPauseMs, growth, jitter } = QUESTION_RETRIES;
  const base = firstPauseMs * growth ** (attempt - 1);
  return Math.round(base * (1 - jitter + 2 * jitter * chance));
}
