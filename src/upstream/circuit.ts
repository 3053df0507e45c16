/**
 * Owns the memory that an upstream is dead or limits us, so that the next request does not wait to find out again.
 *
 *   closed --3 failures in a row, or a 429--> open --window over, one request goes through--> probing
 *     ^                                         ^                                             |   |
 *     +-----------------answered----------------|---------------------------------------------+   |
 *                                               +-----------failed: a longer window---------------+
 *
 * It sends nothing and never waits.
 */
import { GranaryError, reasonOf } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import { isUnanswered } from "./retry.ts";

export type CircuitState = {
  readonly circuit: "closed" | "open" | "probing";
  /** Epoch ms. */
  readonly retryAt: number | undefined;
  readonly reason: string | undefined;
};

/** One request's permission; exactly one of the methods is called when its outcome is known. */
export interface Pass {
  succeeded(): void;
  failed(error: GranaryError): void;
  /** The request was given up by us: it says nothing about the upstream. */
  abandoned(): void;
}

const FAILURES = 3;
const FIRST_DEAD_MS = 2_000;
const LONGEST_DEAD_MS = 60_000;
/** Docker Hub does not document Retry-After (registry-clients.md C.4): without one, this is where we start. */
const FIRST_LIMITED_MS = 60_000;
const LONGEST_LIMITED_MS = 15 * 60_000;
/** What callers are told while a probe is under way. */
const PROBING_MS = 1_000;

type Opening = {
  readonly code: "rate-limited" | "upstream-unavailable";
  readonly reason: string;
  /** Of the clock's `elapsed`. */
  readonly retryAt: number;
  /** A limit that was met on something else than blobs, which Docker Hub does not charge (C.4). */
  readonly sparesBlobs: boolean;
  isProbing: boolean;
};

export type CircuitOptions = {
  readonly name: string;
  readonly clock: Clock;
  /** Called on each change; `true` while requests are answered locally. */
  readonly onChange: (isOpen: boolean, reason: string | undefined) => void;
};

export class Circuit {
  readonly #options: CircuitOptions;
  #opening: Opening | undefined;
  #failures = 0;
  #openings = 0;

  constructor(options: CircuitOptions) {
    this.#options = options;
  }

  get state(): CircuitState {
    if (this.#opening === undefined) return { circuit: "closed", retryAt: undefined, reason: undefined };
    const { isProbing, retryAt, reason } = this.#opening;
    const { clock } = this.#options;
    const retryDate = clock.now() + retryAt - clock.elapsed();
    return { circuit: isProbing ? "probing" : "open", retryAt: retryDate, reason };
  }

  /**
   * Permission for one request. While open it throws `rate-limited` or `upstream-unavailable` at once, with `retryAfterMs`;
   * after the window one request at a time gets through.
   */
  enter(isBlob: boolean): Pass {
    const opening = this.#opening;
    if (opening === undefined) return this.#pass(isBlob, false);
    // A pull under way must not fail because another one met the manifest limit.
    if (isBlob && opening.sparesBlobs) return this.#pass(isBlob, false);
    const waitMs = opening.isProbing ? PROBING_MS : opening.retryAt - this.#options.clock.elapsed();
    if (waitMs > 0) throw this.#refusal(opening, waitMs);
    opening.isProbing = true;
    return this.#pass(isBlob, true);
  }

  #pass(isBlob: boolean, isProbe: boolean): Pass {
    const opening = this.#opening;
    const isCurrent = () => this.#opening === opening;
    return {
      succeeded: () => {
        this.#failures = 0;
        // An answer to a request from before the window does not end a rate limit; any answer ends "dead".
        if (isProbe ? isCurrent() : this.#opening?.code === "upstream-unavailable") this.#close();
      },
      failed: (error) => {
        if (error.code === "rate-limited") this.#openFor(error, this.#limitedMs(error), !isBlob);
        else if (isProbe && isCurrent()) this.#openFor(error, this.#deadMs(), false);
        else this.#countFailure(error);
      },
      abandoned: () => {
        if (isProbe && isCurrent() && opening !== undefined) opening.isProbing = false;
      },
    };
  }

  #countFailure(error: GranaryError): void {
    if (this.#opening !== undefined) return;
    this.#failures = isUnanswered(error) || isGateway(error) ? this.#failures + 1 : 0;
    if (this.#failures >= FAILURES) this.#openFor(error, this.#deadMs(), false);
  }

  #limitedMs({ facts }: GranaryError): number {
    return facts.retryAfterMs ?? Math.min(LONGEST_LIMITED_MS, FIRST_LIMITED_MS * 2 ** this.#openings);
  }

  #deadMs(): number {
    return Math.min(LONGEST_DEAD_MS, FIRST_DEAD_MS * 2 ** this.#openings);
  }

  #openFor(error: GranaryError, windowMs: number, sparesBlobs: boolean): void {
    const code = error.code === "rate-limited" ? "rate-limited" : "upstream-unavailable";
    const retryAt = this.#options.clock.elapsed() + windowMs;
    // Told to everybody who asks this upstream for anything.
    this.#opening = { code, reason: reasonOf(error), retryAt, sparesBlobs, isProbing: false };
    this.#openings += 1;
    this.#failures = 0;
    this.#options.onChange(true, error.message);
  }

  #close(): void {
    this.#opening = undefined;
    this.#openings = 0;
    this.#options.onChange(false, undefined);
  }

  #refusal({ code, reason }: Opening, waitMs: number): GranaryError {
    const until = `for another ${Math.ceil(waitMs / 1000)} s`;
    return new GranaryError(code, `${this.#options.name} is not asked ${until}: ${reason}.`, {
      retryAfterMs: waitMs,
      target: this.#options.name,
    });
  }
}

/** A front end that answers for a dead registry behind it. */
function isGateway({ facts }: GranaryError): boolean {
  return facts.upstreamStatus !== undefined && [502, 503, 504].includes(facts.upstreamStatus);
}
