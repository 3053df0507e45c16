/**
 * Owns whether the node that brings a blob can be reached from here: how long nothing came from it, whoever listened, and what it says when it is asked.
 * A holder that lives and is silent may have a slow line, and is waited for; one that does not even answer is out of reach for us only.
 */
import { isGranaryError } from "../../errors.ts";
import type { PartialKey } from "../../store/partial.ts";
import type { Epoch, Holder } from "../fleet.ts";
import type { TransferParts } from "./transfer-parts.ts";

/** As long as a heartbeat lives: a holder that is out of reach for longer, and lives, is out of reach for us only. */
const OUT_OF_REACH_MS = 5_000;
/** A holder that lives and brings nothing for so long is asked whether it can be reached at all. */
const ASK_MS = 2_000;
/** A holder lives, and brings nothing, while the database cannot say so: then it is given up after this. */
const SILENT_MS = 15_000;

export class HolderReach {
  readonly #key: PartialKey;
  readonly #leaseKey: string;
  readonly #parts: Pick<TransferParts, "fleet" | "peers" | "clock">;
  /** When something came from the holder, of the clock's `elapsed`. */
  #heardAt = 0;
  /** Since when this holder is out of reach. */
  #unreachable: { readonly epoch: Epoch; readonly since: number } | undefined;
  #asking: Promise<boolean> | undefined;

  constructor(key: PartialKey, leaseKey: string, parts: Pick<TransferParts, "fleet" | "peers" | "clock">) {
    this.#key = key;
    this.#leaseKey = leaseKey;
    this.#parts = parts;
  }

  /** It has answered. */
  answered(): void {
    this.#unreachable = undefined;
    this.heard();
  }

  /** Bytes came from it. */
  heard(): void {
    this.#heardAt = this.#now;
  }

  /** It did not answer, for `silentMs` until now. */
  failed({ epoch }: Holder, silentMs: number): void {
    if (this.#unreachable?.epoch !== epoch) this.#unreachable = { epoch, since: this.#now - silentMs };
  }

  isUnreachable({ epoch }: Holder): boolean {
    return this.#unreachable?.epoch === epoch && this.#now - this.#unreachable.since > OUT_OF_REACH_MS;
  }

  /**
   * Whether to wait for a holder that is silent; where not, it counts as failed for as long as nothing came. One question for all readers at one time:
   * it goes on when the reader that asked gives up. Throws what the database throws, but for `fleet-unavailable`.
   */
  isWorthWaiting(holder: Holder): Promise<boolean> {
    this.#asking ??= this.#ask(holder).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(holder: Holder): Promise<boolean> {
    const isWorthIt = await this.#isThere(holder);
    if (!isWorthIt) this.failed(holder, this.#now - this.#heardAt);
    return isWorthIt;
  }

  async #isThere({ epoch, ...member }: Holder): Promise<boolean> {
    const { fleet, peers } = this.#parts;
    const silentMs = this.#now - this.#heardAt;
    try {
      if ((await fleet.holder(this.#leaseKey))?.epoch !== epoch) return false;
      return silentMs < ASK_MS || (await peers.answers(member, this.#key));
    } catch (error) {
      if (!isGranaryError(error, "fleet-unavailable")) throw error;
      return silentMs < SILENT_MS;
    }
  }

  get #now(): number {
    return this.#parts.clock.elapsed();
  }
}
