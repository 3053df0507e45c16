/**
 * Owns what a failure means for a transfer: try again, use another origin, or give up. It never concludes more than the failure shows: a
 * transfer that has begun is kept through an outage; a refusal counts only after it was repeated, since it may be one node's mistake; and
 * where Granary itself sent nothing (an open circuit, a known limit) the transfer waits, and that is no failure. It has no clock or timer.
 */
import { isGranaryError } from "../errors.ts";
import { FILL_RETRIES } from "../waiting/retry-numbers.ts";
import type { FillPolicy } from "./fill-policy.ts";

export type Judgement =
  | { readonly next: "again"; readonly afterMs: number }
  /** This origin is of no use for this blob (F11). */
  | { readonly next: "elsewhere" }
  /** No other origin would help: the stored bytes cannot be right (`rejected`), or the disk is full (`stalled`). */
  | { readonly next: "end"; readonly state: "stalled" | "rejected" };

const ELSEWHERE: Judgement = { next: "elsewhere" };

export type PatiencePolicy = Pick<
  FillPolicy,
  "attempts" | "outageMs" | "beginMs" | "patienceMs" | "refusals"
>;

/** What one failure was, and when. */
export type FailedTry = {
  readonly error: unknown;
  /** Name of the origin. */
  readonly origin: string;
  /** Of the clock's `elapsed`. */
  readonly now: number;
  /** In [0, 1): spreads the tries. */
  readonly random: number;
};

export class Patience {
  readonly #policy: PatiencePolicy;
  #hasBegun: boolean;
  #failures = 0;
  #resized = 0;
  /** When the first failure since the last progress was; undefined while there is none. */
  #since: number | undefined;
  /** Refusals in a row, by name of the origin. */
  readonly #refusals = new Map<string, number>();

  /** `hasBegun`: bytes are there already. */
  constructor(policy: PatiencePolicy, hasBegun: boolean) {
    this.#policy = policy;
    this.#hasBegun = hasBegun;
  }

  /** True from a failure until bytes come again. */
  get isTrying(): boolean {
    return this.#since !== undefined;
  }

  /** F11: bytes came, so all earlier failures no longer count. */
  progressed(): void {
    this.#hasBegun = true;
    this.#failures = 0;
    this.#resized = 0;
    this.#since = undefined;
    this.#refusals.clear();
  }

  /** Another origin is asked from now on; the failures of the last one do not count against it. */
  movedOn(): void {
    this.#failures = 0;
    this.#since = undefined;
  }

  /** What to do after a failure, while no other lane brings bytes. */
  judge(failed: FailedTry): Judgement {
    const { error, now } = failed;
    this.#since ??= now;
    if (isGranaryError(error, "closed")) return ELSEWHERE;
    if (isUnsent(error)) return this.#wait(failed);
    this.#failures += 1;
    if (isGranaryError(error, "size-mismatch") && this.#isResized())
      return { next: "end", state: "rejected" };
    if (isGranaryError(error, "store-full") && this.#isSpent) return { next: "end", state: "stalled" };
    if (isRefusal(error) && !this.#isOutage(error)) return this.#confirm(failed);
    if (this.#isTooLong(failed)) return ELSEWHERE;
    // A transfer that has begun waits for an upstream that cannot be reached. A nonsensical answer is not an outage, and is not waited for.
    const isGivenUp =
      this.#hasBegun && !isGranaryError(error, "upstream-protocol") ? this.#leftMs(now) <= 0 : true;
    if (this.#isSpent && isGivenUp) return ELSEWHERE;
    return { next: "again", afterMs: this.#backoff(failed, this.#failures) };
  }

  get #isSpent(): boolean {
    return this.#failures >= this.#policy.attempts;
  }

  /**
   * Twice another size before any byte came means that the size in the manifest is wrong. Once bytes came, the answer is more likely
   * another document, such as an error page during an incident.
   */
  #isResized(): boolean {
    this.#resized += 1;
    return !this.#hasBegun && this.#resized > 1;
  }

  /** Granary sent nothing, since it knows already that the upstream cannot be reached or limits it. */
  #wait(failed: FailedTry): Judgement {
    const { error, now } = failed;
    if (isGranaryError(error, "rate-limited")) {
      return this.#isTooLong(failed) ? ELSEWHERE : { next: "again", afterMs: this.#backoff(failed, 1) };
    }
    const awayMs = isGranaryError(error) ? (error.facts.unsentForMs ?? 0) : 0;
    // A transfer that begins late in an outage does not wait the full time: how long the outage has lasted counts as well.
    const waitedMs = now - (this.#since ?? now);
    const { outageMs, beginMs = outageMs } = this.#policy;
    const isOver = this.#hasBegun ? waitedMs >= outageMs : Math.max(waitedMs, awayMs) >= beginMs;
    if (isOver) return ELSEWHERE;
    return { next: "again", afterMs: FILL_RETRIES.awayPauseMs };
  }

  /** A refusal is asked about again, since a single node may give it for a moment, or for one range only. */
  #confirm(failed: FailedTry): Judgement {
    const said = (this.#refusals.get(failed.origin) ?? 0) + 1;
    this.#refusals.set(failed.origin, said);
    const { refusals, refusalsOnceBegun, refusalPauseMs } = FILL_RETRIES;
    const confirmed = this.#hasBegun ? refusalsOnceBegun : (this.#policy.refusals ?? refusals);
    if (said >= confirmed) return ELSEWHERE;
    return { next: "again", afterMs: refusalPauseMs * 2 ** (said - 1) };
  }

  /** During an incident registries answer 401 and 403 too. For a transfer that has begun these do not mean that the blob is gone. */
  #isOutage(error: unknown): boolean {
    if (!this.#hasBegun || !isGranaryError(error)) return false;
    const { upstreamStatus } = error.facts;
    // 410 and 451 are permanent statements about the content. Broken front ends send any other 4xx as well.
    if (isGranaryError(error, "upstream-refused")) return upstreamStatus !== 410 && upstreamStatus !== 451;
    return upstreamStatus === 401 || isGranaryError(error, "denied", "unauthorized", "config-invalid");
  }

  /** A rate limit that lasts longer than clients wait is reported at once. */
  #isTooLong({ error, now }: FailedTry): boolean {
    if (!isGranaryError(error, "rate-limited")) return false;
    return (error.facts.retryAfterMs ?? 0) > this.#patienceMs(now);
  }

  #backoff({ error, now, random }: FailedTry, failures: number): number {
    return backoffMs(failures, error, random, this.#patienceMs(now));
  }

  #patienceMs(now: number): number {
    const patienceMs = this.#policy.patienceMs ?? FILL_RETRIES.unbegunPatienceMs;
    return this.#hasBegun ? Math.max(patienceMs, this.#leftMs(now)) : patienceMs;
  }

  #leftMs(now: number): number {
    return this.#policy.outageMs - (now - (this.#since ?? now));
  }
}

function isUnsent(error: unknown): boolean {
  return (
    isGranaryError(error, "upstream-unavailable", "rate-limited") && error.facts.unsentForMs !== undefined
  );
}

/** An answer about this blob, or about this range of it. */
function isRefusal(error: unknown): boolean {
  return isGranaryError(
    error,
    "not-found",
    "denied",
    "unauthorized",
    "range-unsatisfiable",
    "upstream-refused",
    "config-invalid",
  );
}

/**
 * Milliseconds before the `failures`-th try after a failure; `random` in [0, 1) spreads them. `patienceMs` caps what a
 * Retry-After can make of it.
 */
function backoffMs(failures: number, error: unknown, random: number, patienceMs: number): number {
  const asked = isGranaryError(error) ? (error.facts.retryAfterMs ?? 0) : 0;
  const { firstPauseMs, longestPauseMs, jitter } = FILL_RETRIES;
  const grown = firstPauseMs * 2 ** (failures - 1) * (1 + random * jitter);
  const computed = Math.min(longestPauseMs * (1 - random * jitter), grown);
  return Math.max(Math.min(asked, patienceMs), computed);
}
