/**
 * Owns the order in which an upstream's endpoints are tried. One that failed comes after the others for a while, and for longer when it
 * fails again. After that the configured order counts again, because whoever put a mirror first wants it used again. It sends nothing.
 */
import type { Clock } from "../../observe/clock.ts";
import { ENDPOINT_RETRIES } from "../../waiting/retry-numbers.ts";

/** Before all times of the clock. */
const NEVER = -1;

/** Times are of the clock's `elapsed`. */
type Demotion = { readonly since: number; readonly until: number; readonly forMs: number };

type EndpointStanding = {
  readonly endpoint: string;
  readonly isFirst: boolean;
  readonly demotedUntil: number | undefined;
};

/**
 * The endpoints that have one of `names`, whatever the port. Only these are the registry itself: others may be mirrors of it, which what a client
 * shows to the registry is not for.
 */
export function namedEndpoints(endpoints: readonly string[], names: readonly string[]): readonly string[] {
  const hosts = new Set(names.map((name) => URL.parse(`https://${name}`)?.hostname));
  return endpoints.filter((each) => hosts.has(new URL(each).hostname));
}

export class Endpoints {
  readonly #clock: Clock;
  readonly #configured: readonly string[];
  readonly #demoted = new Map<string, Demotion>();

  constructor(endpoints: readonly string[], clock: Clock) {
    this.#configured = endpoints.map((endpoint) => endpoint.replace(/\/+$/, ""));
    this.#clock = clock;
  }

  /** Base URLs without a trailing slash, best first. */
  get order(): readonly string[] {
    if (this.#demoted.size === 0) return this.#configured;
    // Among those that failed, the one that failed longest ago comes first.
    return [...this.#configured].sort((a, b) => this.#since(a) - this.#since(b));
  }

  /** In the configured order: whether each is asked first now, and until when it comes after the others (of the clock's `elapsed`). */
  get standing(): readonly EndpointStanding[] {
    const [first] = this.order;
    return this.#configured.map((endpoint) => {
      const until = this.#since(endpoint) === NEVER ? undefined : this.#demoted.get(endpoint)?.until;
      return { endpoint, isFirst: endpoint === first, demotedUntil: until };
    });
  }

  demote(endpoint: string): void {
    if (this.#configured.length < 2 || !this.#configured.includes(endpoint)) return;
    const since = this.#clock.elapsed();
    const last = this.#demoted.get(endpoint);
    // Requests that were under way at the same time fail together: that is one failure.
    if (last !== undefined && since < last.until) {
      this.#demoted.set(endpoint, { ...last, since });
      return;
    }
    const isAgain = last !== undefined && since < last.until + last.forMs;
    const { firstMs, longestMs } = ENDPOINT_RETRIES;
    const forMs = isAgain ? Math.min(longestMs, last.forMs * 2) : firstMs;
    this.#demoted.set(endpoint, { since, until: since + forMs, forMs });
  }

  /** When it failed; NEVER for one that keeps its configured place. */
  #since(endpoint: string): number {
    const demotion = this.#demoted.get(endpoint);
    if (demotion === undefined || demotion.until <= this.#clock.elapsed()) return NEVER;
    return demotion.since;
  }
}
