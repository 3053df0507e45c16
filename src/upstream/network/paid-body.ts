/**
 * Owns what one request for bytes of a blob has paid of the limits of bandwidth: the beginning before it is sent, the rest as it comes, and
 * back what was paid and did not come.
 */
import type { WantedFor } from "../../origin.ts";
import type { Bandwidth } from "./bandwidth.ts";

/** So much of a limit one request takes at most, and the least: below that its headers would be most of it. */
const ADVANCE_MS = 1_000;
const LEAST_BYTES = 32;
/** The part of starveMs in which each of those that wait has had its turn. */
const TURNS = 0.5;

export class PaidBody {
  readonly #bandwidth: Bandwidth;
  readonly #upstream: string;
  readonly #wantedFor: WantedFor;
  readonly #signal: AbortSignal;
  /** Paid, and not come yet. */
  #left = 0;

  constructor(bandwidth: Bandwidth, upstream: string, wantedFor: WantedFor, signal: AbortSignal) {
    this.#bandwidth = bandwidth;
    this.#upstream = upstream;
    this.#wantedFor = wantedFor;
    this.#signal = signal;
  }

  /** A limit holds now. */
  get isLimited(): boolean {
    return this.#bandwidth.allowance(this.#upstream) !== undefined;
  }

  /**
   * Waits for its turn before a request for `bytes` (infinite where nobody knows) is sent; how many of them to ask for now, so that everybody
   * who waits gets some within `starveMs` (F17). Throws `aborted`.
   */
  async begin(bytes: number, starveMs: number): Promise<number> {
    const allowance = this.#bandwidth.allowance(this.#upstream);
    if (allowance === undefined) return bytes;
    const price = (others: number) => {
      const ms = Math.min(ADVANCE_MS, (starveMs * TURNS) / (others + 1));
      const most = Math.max(LEAST_BYTES, Math.floor(allowance.bytesPerMs * ms));
      this.#left = Math.min(bytes, most);
      return this.#left;
    };
    await this.#bandwidth.pay(this.#upstream, price, this.#wantedFor, this.#signal);
    return Number.isFinite(bytes) ? this.#left : bytes;
  }

  /** `bytes` have come: undefined when they may be used at once. */
  came(bytes: number): Promise<void> | undefined {
    this.#bandwidth.came(this.#upstream, bytes);
    if (!this.isLimited) return undefined;
    const owed = bytes - this.#left;
    this.#left = Math.max(0, -owed);
    return owed > 0 ? this.#pay(owed) : undefined;
  }

  /** No more bytes will come. Idempotent. */
  end(): void {
    if (this.#left > 0) this.#bandwidth.giveBack(this.#upstream, this.#left);
    this.#left = 0;
  }

  #pay(bytes: number): Promise<void> | undefined {
    return this.#bandwidth.pay(this.#upstream, bytes, this.#wantedFor, this.#signal);
  }
}
