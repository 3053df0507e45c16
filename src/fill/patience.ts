/**
 * Owns what a failure means for a transfer: try again, go to another origin, or give up. It never concludes more than the failure
 * shows: a transfer that has begun outlives an outage, one answer of one node is confirmed before it counts, and what we
 * refused ourselves, without sending anything, is a wait and no failure. It keeps no time of its own.
 */
import { isGranaryError } from "../errors.ts";
import { FILL_RETRIES } from "../waiting/retry-numbers.ts";
import type { FillPolicy } from "./fill-policy.ts";

export type Judgement =
  | { readonly next: "again"; readonly afterMs: number }
  /** This origin is of no use for this blob (F11). */
  | { readonly next: "elsewhere" }
  /** No origin can mend it: what is there cannot be right (`rejected`), or the disk takes no more (`stalled`). */
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
  /** When this trouble began; undefined while all is well. */
  #since: number | undefined;
  /** Refusals in a row, by name of the origin. */
  readonly #refusals = new Map<string, number>();

  /** `hasBegun`: bytes are there already. */
  constructor(policy: PatiencePolicy, hasBegun: boolean) {
    this.#policy = policy;
    this.#hasBegun = hasBegun;
  }

  /** A failure was judged, and nothing has come since. */
  get isTrying(): boolean {
    return this.#since !== undefined;
  }

  /** F11: bytes came, and everything before them is forgiven. */
  progressed(): void {
    this.#hasBegun = true;
    this.#failures = 0;
    this.#resized = 0;
    this.#since = undefined;
    this.#refusals.clear();
  }

  /** Another origin is asked from now on: what the last one did is not its doing. */
  movedOn(): void {
    this.#failures = 0;
    this.#since = undefined;
  }

  /** What to do after a failure that nothing else makes up for. */
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
    // What is begun waits for an upstream that is away; nonsense in place of a blob is no outage.
    const isGivenUp =
      this.#hasBegun && !isGranaryError(error, "upstream-protocol") ? this.#leftMs(now) <= 0 : true;
    if (this.#isSpent && isGivenUp) return ELSEWHERE;
    return { next: "again", afterMs: this.#backoff(failed, this.#failures) };
  }

  get #isSpent(): boolean {
    return this.#failures >= this.#policy.attempts;
  }

  /** Said twice before any byte came, it is the size that we were told which is wrong. Later it is another document, of an incident. */
  #isResized(): boolean {
    this.#resized += 1;
    return !this.#hasBegun && this.#resized > 1;
  }

  /** Our own refusal: the upstream is away, or limits us, and we know it. */
  #wait(failed: FailedTry): Judgement {
    const { error, now } = failed;
    if (isGranaryError(error, "rate-limited")) {
      return this.#isTooLong(failed) ? ELSEWHERE : { next: "again", afterMs: this.#backoff(failed, 1) };
    }
    const awayMs = isGranaryError(error) ? (error.facts.unsentForMs ?? 0) : 0;
    // Who comes late in an outage does not wait from the start: what is known to be long away is said at once.
    const waitedMs = now - (this.#since ?? now);
    const { outageMs, beginMs = outageMs } = this.#policy;
    const isOver = this.#hasBegun ? waitedMs >= outageMs : Math.max(waitedMs, awayMs) >= beginMs;
    if (isOver) return ELSEWHERE;
    return { next: "again", afterMs: FILL_RETRIES.awayPauseMs };
  }

  /** One node of many may say this for a moment, or of one range. */
  #confirm(failed: FailedTry): Judgement {
    const said = (this.#refusals.get(failed.origin) ?? 0) + 1;
    this.#refusals.set(failed.origin, said);
    const { refusals, refusalsOnceBegun, refusalPauseMs } = FILL_RETRIES;
    const confirmed = this.#hasBegun ? refusalsOnceBegun : (this.#policy.refusals ?? refusals);
    if (said >= confirmed) return ELSEWHERE;
    return { next: "again", afterMs: refusalPauseMs * 2 ** (said - 1) };
  }

  /** Registries answer 401 and 403 in an incident; neither says that bytes which were there a moment ago are gone. */
  #isOutage(error: unknown): boolean {
    if (!this.#hasBegun || !isGranaryError(error)) return false;
    const { upstreamStatus } = error.facts;
    // 410 and 451 are said of the content, for good; any other 4xx comes from broken front ends as well.
    if (isGranaryError(error, "upstream-refused")) return upstreamStatus !== 410 && upstreamStatus !== 451;
    return upstreamStatus === 401 || isGranaryError(error, "denied", "unauthorized", "config-invalid");
  }

  /** A limit that lasts longer than anybody waits is told, not waited for. */
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
