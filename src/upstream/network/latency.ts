/**
 * Owns how fast the endpoints of one upstream answer: the time from a request to the headers of its answer, and how many got none, lately. A
 * request adds a few numbers; all else is computed when somebody asks. It decides nothing.
 */
import type { Clock } from "../../observe/clock.ts";

/** Of one endpoint, or of all together; nothing where none was asked lately. */
export type AnswerTimes = {
  /** The middle one of the last times to the headers, ms; undefined where nothing was answered lately. */
  readonly latencyMs: number | undefined;
  /** Of the last request, epoch ms. */
  readonly askedAt: number | undefined;
  /** Requests of the last minutes, and how many of them got no answer, or one that says that the server fails (5xx). */
  readonly requests: number;
  readonly failed: number;
};

/** What is older says nothing about now. */
const LATELY_MS = 10 * 60_000;
/** Enough for a middle that one slow answer does not move. */
const MOST_TIMES = 31;
/** Time is counted in so many parts, so that no request is remembered by itself. */
const PARTS = 10;
const PART_MS = LATELY_MS / PARTS;

export class Latency {
  readonly #clock: Clock;
  readonly #endpoints: ReadonlyMap<string, EndpointTimes>;

  /** `origins`: of the endpoints, as `URL.origin` writes them. What is asked of other hosts (token servers, CDNs) is not counted. */
  constructor(origins: readonly string[], clock: Clock) {
    this.#clock = clock;
    this.#endpoints = new Map(origins.map((origin) => [origin, new EndpointTimes()]));
  }

  /** A request to `origin` was answered after `ms`, or not at all (undefined). */
  asked(origin: string, ms: number | undefined, isFailed: boolean): void {
    const now = this.#clock.elapsed();
    this.#endpoints.get(origin)?.add(now, ms, isFailed);
  }

  of(origin: string): AnswerTimes {
    return this.#told([this.#endpoints.get(origin)].filter((each) => each !== undefined));
  }

  get all(): AnswerTimes {
    return this.#told([...this.#endpoints.values()]);
  }

  #told(endpoints: readonly EndpointTimes[]): AnswerTimes {
    const now = this.#clock.elapsed();
    const times = endpoints.flatMap((endpoint) => endpoint.timesSince(now - LATELY_MS));
    const last = Math.max(...endpoints.map(({ askedAt }) => askedAt ?? Number.NEGATIVE_INFINITY));
    const counts = endpoints.map((endpoint) => endpoint.countsAt(now));
    return {
      latencyMs: middleOf(times),
      askedAt: Number.isFinite(last) ? this.#clock.now() - (now - last) : undefined,
      requests: counts.reduce((sum, { requests }) => sum + requests, 0),
      failed: counts.reduce((sum, { failed }) => sum + failed, 0),
    };
  }
}

type Counts = { part: number; requests: number; failed: number };

/** Times are of the clock's `elapsed`. */
class EndpointTimes {
  /** The oldest is overwritten. */
  readonly #times: { readonly at: number; readonly ms: number }[] = [];
  #next = 0;
  /** The oldest first, at most PARTS. */
  #counts: Counts[] = [];
  askedAt: number | undefined;

  add(now: number, ms: number | undefined, isFailed: boolean): void {
    this.askedAt = now;
    const part = Math.floor(now / PART_MS);
    let last = this.#counts.at(-1);
    if (last?.part !== part) {
      last = { part, requests: 0, failed: 0 };
      this.#counts = [...this.#counts.slice(1 - PARTS), last];
    }
    last.requests += 1;
    if (isFailed) last.failed += 1;
    if (ms === undefined) return;
    this.#times[this.#next] = { at: now, ms };
    this.#next = (this.#next + 1) % MOST_TIMES;
  }

  timesSince(since: number): number[] {
    return this.#times.filter(({ at }) => at >= since).map(({ ms }) => ms);
  }

  countsAt(now: number): { readonly requests: number; readonly failed: number } {
    const sums = { requests: 0, failed: 0 };
    for (const { part, requests, failed } of this.#counts) {
      if (part <= Math.floor(now / PART_MS) - PARTS) continue;
      sums.requests += requests;
      sums.failed += failed;
    }
    return sums;
  }
}

function middleOf(times: readonly number[]): number | undefined {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  return middle === undefined ? undefined : Math.round(middle);
}
