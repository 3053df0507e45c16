/**
 * Owns what is known of an upstream's limits (429): until when which kind of question must not be asked, and about which repository. A
 * limit on one repository counts for all only when a second repository is limited too, and it never counts for other kinds of questions
 * (Docker Hub counts GETs of manifests, and neither HEAD nor blobs: docs/protocol.md#docker-hub-rate-limits). It sends nothing and never
 * waits. A limit that is over is kept until a question was answered again, so these entries have no lifetime.
 */
import { LRUCache } from "lru-cache";
import { type GranaryError, reasonOf } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import { mostEntries } from "../../waiting/expiry.ts";
import { RATE_LIMIT_RETRIES } from "../../waiting/retry-numbers.ts";

/** What is asked, and of which repository. */
export type QuestionKey = {
  readonly kind: "manifest HEAD" | "manifest" | "blob HEAD" | "blob" | "tags" | "referrers";
  readonly repository: string;
};

/** A limit that is in force, or over but not yet tested by a question. */
export type Limit = {
  readonly reason: string;
  /** When it was met and when it is over, of the clock's `elapsed`. */
  readonly metAt: number;
  readonly until: number;
  /** The upstream itself named the time at which it is over. */
  readonly isStated: boolean;
  /** How often in a row it was met. */
  readonly times: number;
  /** It is over, and the one question that tests it has not been answered yet. */
  isTried: boolean;
};

/** Repositories of which a limit is remembered. */
const REMEMBERED = 1_000;

export class RateLimits {
  readonly #clock: Clock;
  readonly #limits = new LRUCache<string, Limit>(mostEntries(REMEMBERED));

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A limit on a whole kind of question, for status. */
  get widest(): Limit | undefined {
    const now = this.#clock.elapsed();
    for (const [key, limit] of this.#limits) if (!key.includes("\n") && limit.until > now) return limit;
    return undefined;
  }

  /** When the last limit in force is over of which the upstream named the end, of the clock's `elapsed`. */
  get statedUntil(): number | undefined {
    const now = this.#clock.elapsed();
    let last: number | undefined;
    for (const { until, isStated } of this.#limits.values())
      if (isStated && until > now && until > (last ?? 0)) last = until;
    return last;
  }

  /**
   * The limit that forbids this question now. When a limit is over, one question at a time tests it: the caller reports the outcome by
   * `met` or `passed`, or by `untried` when there was none.
   */
  check(question: QuestionKey): Limit | undefined {
    const own = this.#inForce(ownKey(question));
    const kinds = own === undefined ? this.#inForce(question.kind) : undefined;
    return own ?? kinds;
  }

  /** A 429. */
  met(question: QuestionKey, error: GranaryError): void {
    const own = ownKey(question);
    const isWide = this.#limits.has(question.kind) || this.#anyOther(question);
    this.#remember(own, error);
    if (isWide) this.#remember(question.kind, error);
  }

  /** The question was answered, so nothing limits it any more. */
  passed(question: QuestionKey): void {
    for (const key of [ownKey(question), question.kind]) {
      if (this.#limits.get(key)?.isTried === true) this.#limits.delete(key);
    }
  }

  /** The question had no outcome: another one may test the limit. */
  untried(question: QuestionKey): void {
    for (const key of [ownKey(question), question.kind]) {
      const limit = this.#limits.get(key);
      if (limit !== undefined) limit.isTried = false;
    }
  }

  #inForce(key: string): Limit | undefined {
    const limit = this.#limits.get(key);
    if (limit === undefined) return undefined;
    if (limit.until > this.#clock.elapsed() || limit.isTried) return limit;
    limit.isTried = true;
    return undefined;
  }

  #anyOther(question: QuestionKey): boolean {
    const own = ownKey(question);
    const now = this.#clock.elapsed();
    for (const [key, { until }] of this.#limits) {
      if (key !== own && key.startsWith(`${question.kind}\n`) && until > now) return true;
    }
    return false;
  }

  #remember(key: string, error: GranaryError): void {
    const now = this.#clock.elapsed();
    const times = (this.#limits.get(key)?.times ?? 0) + 1;
    const { firstMs, longestMs } = RATE_LIMIT_RETRIES;
    const { retryAfterMs } = error.facts;
    const isStated = retryAfterMs !== undefined;
    const until = now + (retryAfterMs ?? Math.min(longestMs, firstMs * 2 ** (times - 1)));
    this.#limits.set(key, { reason: reasonOf(error), metAt: now, until, isStated, times, isTried: false });
  }
}

function ownKey({ kind, repository }: QuestionKey): string {
  return `${kind}\n${repository}`;
}
