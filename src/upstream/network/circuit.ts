/**
 * Owns the memory that an upstream is away, or limits us, so that the next request does not wait to find out again.
 *
 *   closed --a question failed, and a probe of ours as well--> open --a probe, or any question, is answered--> closed
 *
 * One failing repository, or our own tries of one question, are no evidence of a dead registry: each failure is a suspicion, and
 * the probe (the registry's base, which no repository is part of) decides. While it is open the probe goes on by itself, so that
 * no client has to find out. Limits are limits.ts's.
 */
import { GranaryError, isGranaryError, reasonOf } from "../../errors.ts";
import type { Clock, Timer } from "../../observe/clock.ts";
import { type Limit, Limits, type QuestionKey } from "./rate-limits.ts";

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

/** What a probe found: the registry answers, nothing answers, or something answers that speaks of trouble. */
export type ProbeResult = "answered" | "unanswered" | "troubled";

export type CircuitOptions = {
  readonly name: string;
  readonly clock: Clock;
  /** Asks the registry's base once; never throws. Without one (limits only) nothing is ever found to be away. */
  readonly probe?: () => Promise<ProbeResult>;
  /** Called on each change; `true` while requests are answered locally. */
  readonly onChange: (isOpen: boolean, reason: string | undefined) => void;
};

/** First bytes are to go on within a second of the upstream's return. */
const PROBE_MS = 500;
/** A probe that hangs, as on a line that drops everything, must not keep the next one from finding out. */
const PROBES_AT_ONCE = 4;
/** In the open state a real question goes through this often, for registries whose base does not answer like the rest. */
const FIRST_TRY_MS = 2_000;
const LONGEST_TRY_MS = 60_000;

type Away = {
  readonly reason: string;
  readonly since: number;
  /** When a question may try, of the clock's `elapsed`. */
  tryAt: number;
  tries: number;
};

export class Circuit {
  readonly #options: CircuitOptions;
  readonly #limits: Limits;
  /** The first failure after which nothing was answered. */
  #suspicion: { readonly error: GranaryError; readonly since: number } | undefined;
  #away: Away | undefined;
  #probing = 0;
  #nextProbe: Timer | undefined;
  /** What the last probe found. */
  #lastProbe: ProbeResult | undefined;
  /** Questions were answered while its base spoke of trouble: until that speaks otherwise, it tells nothing. */
  #isBaseTroubled = false;
  #isReportedOpen = false;
  #isClosed = false;

  constructor(options: CircuitOptions) {
    this.#options = options;
    this.#limits = new Limits(options.clock);
  }

  get state(): CircuitState {
    const { clock } = this.#options;
    const dateOf = (elapsed: number) => clock.now() + elapsed - clock.elapsed();
    if (this.#away !== undefined) {
      const { reason, tryAt } = this.#away;
      return { circuit: this.#probing > 0 ? "probing" : "open", retryAt: dateOf(tryAt), reason };
    }
    const limit = this.#limits.widest;
    if (limit === undefined) return { circuit: "closed", retryAt: undefined, reason: undefined };
    return { circuit: "open", retryAt: dateOf(limit.until), reason: limit.reason };
  }

  /** True while the upstream is known to be away. */
  get isAway(): boolean {
    return this.#away !== undefined;
  }

  /**
   * Permission for one request. Throws `rate-limited` or `upstream-unavailable` at once, with `retryAfterMs` and `unsentForMs`, where the
   * answer is known.
   */
  enter(question: QuestionKey): Pass {
    const away = this.#away;
    const now = this.#options.clock.elapsed();
    if (away !== undefined && now < away.tryAt) throw this.#awayRefusal(away, now);
    const limit = this.#limits.check(question);
    if (limit !== undefined) throw this.#limitRefusal(limit, now);
    if (away !== undefined) {
      away.tries += 1;
      away.tryAt = now + Math.min(LONGEST_TRY_MS, FIRST_TRY_MS * 2 ** away.tries);
    }
    return {
      succeeded: () => this.#answered(question),
      failed: (error) => this.#failed(question, error),
      abandoned: () => this.#limits.untried(question),
    };
  }

  /** No probe begins any more. */
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

  /** Says what has changed, if anything has. */
  #report(reason: string | undefined): void {
    const isOpen = this.#away !== undefined || this.#limits.widest !== undefined;
    if (isOpen === this.#isReportedOpen) return;
    this.#isReportedOpen = isOpen;
    this.#options.onChange(isOpen, isOpen ? reason : undefined);
  }

  /** One probe now, and the next after a moment, for as long as the upstream is away. */
  #probe(): void {
    const { probe, clock } = this.#options;
    if (probe === undefined || this.#isClosed) return;
    this.#nextProbe = clock.after(PROBE_MS, () => {
      this.#nextProbe = undefined;
      if (this.#away !== undefined) this.#probe();
    });
    if (this.#probing >= PROBES_AT_ONCE) return;
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
    // What was answered meanwhile has taken the suspicion away.
    else if (suspicion !== undefined && suspicion === this.#suspicion && this.#away === undefined)
      this.#isGone(suspicion);
  }

  #isGone({ error, since }: { readonly error: GranaryError; readonly since: number }): void {
    const tryAt = this.#options.clock.elapsed() + FIRST_TRY_MS;
    // Told to everybody who asks this upstream for anything.
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
    const waitMs = Math.max(FIRST_TRY_MS / 2, until - now);
    const text = `${name} is not asked for another ${Math.ceil(waitMs / 1000)} s: ${reason}.`;
    return new GranaryError("rate-limited", text, {
      retryAfterMs: waitMs,
      unsentForMs: now - metAt,
      target: name,
      reason,
    });
  }
}
