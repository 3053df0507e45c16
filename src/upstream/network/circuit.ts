/**
 * Owns the memory that an upstream is away, so that the next request does not wait to find out again.
 *
 *   closed --a question failed, and our own probe failed as well--> open --a probe or a question is answered--> closed
 *
 * One failing repository, or several tries of one question, do not show that a registry is down. Each failure is only a suspicion, and the
 * probe decides: it asks the registry's base, which belongs to no repository. While the circuit is open the probe is repeated, so that no
 * client has to find out. Limits (429) are kept in rate-limits.ts.
 */
import { GranaryError, isGranaryError, reasonOf } from "../../errors.ts";
import type { Clock, Timer } from "../../observe/clock.ts";
import { OUTAGE_RETRIES, RATE_LIMIT_RETRIES } from "../../waiting/retry-numbers.ts";
import { type Limit, type QuestionKey, RateLimits } from "./rate-limits.ts";

export type CircuitState = {
  readonly circuit: "closed" | "open" | "probing";
  /** Epoch ms. */
  readonly retryAt: number | undefined;
  readonly reason: string | undefined;
  /** Why it is open: the upstream does not answer, or it limits us. */
  readonly openBecause?: "away" | "limited";
};

/** One request's permission; exactly one of the methods is called when its outcome is known. */
export interface Pass {
  succeeded(): void;
  failed(error: GranaryError): void;
  /** We stopped the request, so its outcome says nothing about the upstream. */
  abandoned(): void;
}

/** What a probe found: the registry answers, nothing answers, or something answers with a failure of its own (5xx). */
export type ProbeResult = "answered" | "unanswered" | "troubled";

export type CircuitOptions = {
  readonly name: string;
  readonly clock: Clock;
  /** Asks the registry's base once; never throws. Without a probe the circuit never opens, and only limits are remembered. */
  readonly probe?: () => Promise<ProbeResult>;
  /** Called on each change; `true` while requests are answered locally. */
  readonly onChange: (isOpen: boolean, reason: string | undefined) => void;
  /** Called with each 429 that comes. */
  readonly onLimited?: (reason: string) => void;
};

type Away = {
  readonly reason: string;
  readonly since: number;
  /** When a client's question is let through, of the clock's `elapsed`. */
  tryAt: number;
  tries: number;
};

export class Circuit {
  readonly #options: CircuitOptions;
  readonly #limits: RateLimits;
  /** The first failure after which nothing was answered. */
  #suspicion: { readonly error: GranaryError; readonly since: number } | undefined;
  #away: Away | undefined;
  #probing = 0;
  #nextProbe: Timer | undefined;
  /** What the last probe found. */
  #lastProbe: ProbeResult | undefined;
  /** Questions were answered while the base answered 5xx: until the base answers properly, its failures mean nothing. */
  #isBaseTroubled = false;
  #isReportedOpen = false;
  #isClosed = false;

  constructor(options: CircuitOptions) {
    this.#options = options;
    this.#limits = new RateLimits(options.clock);
  }

  get state(): CircuitState {
    const { clock } = this.#options;
    const dateOf = (elapsed: number) => clock.now() + elapsed - clock.elapsed();
    if (this.#away !== undefined) {
      const { reason, tryAt } = this.#away;
      return {
        circuit: this.#probing > 0 ? "probing" : "open",
        retryAt: dateOf(tryAt),
        reason,
        openBecause: "away",
      };
    }
    const limit = this.#limits.widest;
    if (limit === undefined) return { circuit: "closed", retryAt: undefined, reason: undefined };
    return { circuit: "open", retryAt: dateOf(limit.until), reason: limit.reason, openBecause: "limited" };
  }

  /** When a limit is over of which the upstream named the end; epoch ms. */
  get limitedUntil(): number | undefined {
    const { clock } = this.#options;
    const until = this.#limits.statedUntil;
    return until === undefined ? undefined : clock.now() + until - clock.elapsed();
  }

  /** True while the upstream is known to be away. */
  get isAway(): boolean {
    return this.#away !== undefined;
  }

  /**
   * Permission for one request. Where it is known that the request would fail, throws `rate-limited` or `upstream-unavailable` at once, with
   * `retryAfterMs` and `unsentForMs`.
   */
  enter(question: QuestionKey): Pass {
    const away = this.#away;
    const now = this.#options.clock.elapsed();
    if (away !== undefined && now < away.tryAt) throw this.#awayRefusal(away, now);
    const limit = this.#limits.check(question);
    if (limit !== undefined) throw this.#limitRefusal(limit, now);
    if (away !== undefined) {
      away.tries += 1;
      const { firstTryMs, longestTryMs } = OUTAGE_RETRIES;
      away.tryAt = now + Math.min(longestTryMs, firstTryMs * 2 ** away.tries);
    }
    return {
      succeeded: () => this.#answered(question),
      failed: (error) => this.#failed(question, error),
      abandoned: () => this.#limits.untried(question),
    };
  }

  /** No further probe begins. */
  close(): void {
    this.#isClosed = true;
    this.#nextProbe?.cancel();
  }

  #answered(question: QuestionKey): void {
    this.#limits.passed(question);
    if (this.#away !== undefined && this.#away.tries > 0 && this.#lastProbe === "troubled")
      this.#isBaseTroubled = true;
    this.#isBack();
  }

  #failed(question: QuestionKey, error: GranaryError): void {
    if (isGranaryError(error, "rate-limited")) {
      this.#limits.met(question, error);
      this.#options.onLimited?.(error.message);
      this.#report(error.message);
      return;
    }
    this.#limits.untried(question);
    if (this.#away !== undefined) return;
    this.#suspicion ??= { error, since: this.#options.clock.elapsed() };
    if (this.#nextProbe === undefined) this.#probe();
  }

  #isBack(): void {
    this.#suspicion = undefined;
    this.#nextProbe?.cancel();
    this.#nextProbe = undefined;
    this.#away = undefined;
    this.#report(undefined);
  }

  /** Reports the state if it has changed. */
  #report(reason: string | undefined): void {
    const isOpen = this.#away !== undefined || this.#limits.widest !== undefined;
    if (isOpen === this.#isReportedOpen) return;
    this.#isReportedOpen = isOpen;
    this.#options.onChange(isOpen, isOpen ? reason : undefined);
  }

  /** Probes now, and again after each pause while the upstream is away. */
  #probe(): void {
    const { probe, clock } = this.#options;
    if (probe === undefined || this.#isClosed) return;
    this.#nextProbe = clock.after(OUTAGE_RETRIES.probeMs, () => {
      this.#nextProbe = undefined;
      if (this.#away !== undefined) this.#probe();
    });
    if (this.#probing >= OUTAGE_RETRIES.probesAtOnce) return;
    this.#probing += 1;
    const suspicion = this.#suspicion;
    void probe().then((result) => {
      this.#probing -= 1;
      this.#probed(result, suspicion);
    });
  }

  #probed(
    result: ProbeResult,
    suspicion: { readonly error: GranaryError; readonly since: number } | undefined,
  ): void {
    if (this.#isClosed) return;
    this.#lastProbe = result;
    if (result === "answered") this.#isBaseTroubled = false;
    if (result === "answered") this.#isBack();
    else if (result === "troubled" && this.#isBaseTroubled) this.#suspicion = undefined;
    // If a question was answered since the probe began, there is no suspicion any more.
    else if (suspicion !== undefined && suspicion === this.#suspicion && this.#away === undefined)
      this.#isGone(suspicion);
  }

  #isGone({ error, since }: { readonly error: GranaryError; readonly since: number }): void {
    const tryAt = this.#options.clock.elapsed() + OUTAGE_RETRIES.firstTryMs;
    // This reason is shown to everybody who asks this upstream for anything, so it must not name what one client asked for.
    this.#away = { reason: reasonOf(error), since, tryAt, tries: 0 };
    this.#report(error.message);
    if (this.#nextProbe === undefined) this.#probe();
  }

  #awayRefusal({ reason, since, tryAt }: Away, now: number): GranaryError {
    const { name } = this.#options;
    const text = `${name} is away, and is asked again as soon as it answers: ${reason}.`;
    return new GranaryError("upstream-unavailable", text, {
      retryAfterMs: tryAt - now,
      unsentForMs: now - since,
      target: name,
      reason,
    });
  }

  #limitRefusal({ reason, metAt, until }: Limit, now: number): GranaryError {
    const { name } = this.#options;
    const waitMs = Math.max(RATE_LIMIT_RETRIES.shortestToldMs, until - now);
    const text = `${name} is not asked for another ${Math.ceil(waitMs / 1000)} s: ${reason}.`;
    return new GranaryError("rate-limited", text, {
      retryAfterMs: waitMs,
      unsentForMs: now - metAt,
      target: name,
      reason,
    });
  }
}
