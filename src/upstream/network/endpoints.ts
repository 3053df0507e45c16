/**
 * Owns the order in which an upstream's endpoints are tried. One that failed goes behind the others for a while, and longer when it fails
 * again; then the configured order holds once more, because whoever put a mirror first wants it back when it is back. It sends nothing.
 */
import type { Clock } from "../../observe/clock.ts";

const FIRST_MS = 60_000;
const LONGEST_MS = 10 * 60_000;
/** Before all times of the clock. */
const NEVER = -1;

/** Times are of the clock's `elapsed`. */
type Demotion = { readonly since: number; readonly until: number; readonly forMs: number };

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
    // Of those that failed, the one whose failure is longest ago.
    return [...this.#configured].sort((a, b) => this.#since(a) - this.#since(b));
  }

  demote(endpoint: string): void {
    if (this.#configured.length < 2 || !this.#configured.includes(endpoint)) return;
    const since = this.#clock.elapsed();
    const last = this.#demoted.get(endpoint);
    // Requests that were under way fail together, which is one failure.
    if (last !== undefined && since < last.until) {
      this.#demoted.set(endpoint, { ...last, since });
      return;
    }
    const isAgain = last !== undefined && since < last.until + last.forMs;
    const forMs = isAgain ? Math.min(LONGEST_MS, last.forMs * 2) : FIRST_MS;
    this.#demoted.set(endpoint, { since, until: since + forMs, forMs });
  }

  /** When it failed; before everything for one that may go first. */
  #since(endpoint: string): number {
    const demotion = this.#demoted.get(endpoint);
    if (demotion === undefined || demotion.until <= this.#clock.elapsed()) return NEVER;
    return demotion.since;
  }
}
