/**
 * Owns what is known of an upstream's limits (429): which kind of question may not be asked before when, and of which repository. One
 * repository that is limited says nothing of another until a second one is limited too, and nothing of other kinds ever (Docker
 * Hub charges pulls of manifests, and neither HEAD nor blobs: docs/protocol.md#docker-hub-rate-limits). It sends nothing and never waits.
 */
import { LRUCache } from "lru-cache";
import { type GranaryError, reasonOf } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";

/** What is asked, and of which repository. */
export type QuestionKey = {
  readonly kind: "manifest HEAD" | "manifest" | "blob HEAD" | "blob" | "tags" | "referrers";
  readonly repository: string;
};

/** A limit in force, or over and not yet tried. */
export type Limit = {
  readonly reason: string;
  /** When it was met and when it is over, of the clock's `elapsed`. */
  readonly metAt: number;
  readonly until: number;
  /** How often in a row it was met. */
  readonly times: number;
  /** Since it was over, one question went through that is not answered yet. */
  isTried: boolean;
};

/** Docker Hub does not document Retry-After (docs/protocol.md#docker-hub-rate-limits): without one, this is where we start. */
const FIRST_MS = 60_000;
const LONGEST_MS = 15 * 60_000;
/** Repositories of which a limit is remembered. */
const REMEMBERED = 1_000;

export class Limits {
  readonly #clock: Clock;
  readonly #limits = new LRUCache<string, Limit>({ max: REMEMBERED });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A limit on a whole kind of question, for status. */
  get widest(): Limit | undefined {
    const now = this.#clock.elapsed();
    for (const [key, limit] of this.#limits) if (!key.includes("\n") && limit.until > now) return limit;
    return undefined;
  }

  /**
   * The limit that forbids this question now. When one is over, one question after another finds out whether it is: the caller tells
   * with `met` or `passed`, or gives the try back with `untried`.
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

  /** The question was answered: nothing limits it any more. */
  passed(question: QuestionKey): void {
    for (const key of [ownKey(question), question.kind]) {
      if (this.#limits.get(key)?.isTried === true) this.#limits.delete(key);
    }
  }

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
    const forMs = error.facts.retryAfterMs ?? Math.min(LONGEST_MS, FIRST_MS * 2 ** (times - 1));
    this.#limits.set(key, { reason: reasonOf(error), metAt: now, until: now + forMs, times, isTried: false });
  }
}

function ownKey({ kind, repository }: QuestionKey): string {
  return `${kind}\n${repository}`;
}
