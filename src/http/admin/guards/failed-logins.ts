/**
 * Owns how those are slowed down who try tokens: each failure is answered late, and where the token could be guessed, an address that fails
 * often has to wait before it may try again. Nobody waits for the failures of another address, and no cookie and no right token that cannot
 * be guessed is ever refused here: a stranger cannot lock the owner out.
 */
import { LRUCache } from "lru-cache";
import type { Clock } from "../../../observe/clock.ts";
import { mostEntries } from "../../../waiting/expiry.ts";
import { sleep } from "../../../waiting/sleep.ts";
import { networkOf } from "../../client-network.ts";

/** How late a failure is told. */
const LATE_MS = 1_000;
/** Failures of one address that cost nothing but that, and how long each one beyond them blocks it. */
const FREE = 10;
const BLOCK_MS = 5_000;
const MOST_ADDRESSES = 10_000;
/** Answers that are held back at one moment; more are told at once. */
const MOST_LATE = 100;

export class FailedLogins {
  readonly #clock: Clock;
  /** Until when the failures of an address count, by `elapsed`: each adds BLOCK_MS. */
  readonly #until = new LRUCache<string, number>(mostEntries(MOST_ADDRESSES));
  #late = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until `client` may try again; 0 when it may now. */
  blockedMs(client: string | undefined): number {
    const until = this.#until.get(networkOf(client)) ?? 0;
    return Math.max(0, until - this.#clock.elapsed() - FREE * BLOCK_MS);
  }

  /** Counts a failure of `client`; resolves when it may be told. */
  async failed(client: string | undefined): Promise<void> {
    const network = networkOf(client);
    const now = this.#clock.elapsed();
    this.#until.set(network, Math.max(now, this.#until.get(network) ?? 0) + BLOCK_MS);
    if (this.#late >= MOST_LATE) return;
    this.#late += 1;
    await sleep(LATE_MS, this.#clock);
    this.#late -= 1;
  }
}
