/**
 * Owns that one node of a fleet asks an upstream a small question while the others wait for what it writes down. It holds nobody up for long: who has
 * waited enough, or cannot ask the fleet, asks the upstream as a node alone does.
 */
import { isGranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import { sleep } from "../waiting/sleep.ts";
import type { Fleet, Lease } from "./fleet.ts";

/** How often those who wait look. */
const LOOK_MS = 200;
/** Names that people use are shorter. */
const MOST_KEY_BYTES = 1_000;

export type TurnOf<T> = {
  /** What is asked, as the key of a lease. */
  readonly key: string;
  readonly ask: () => Promise<T>;
  /** What another node has written down of it lately; undefined where none has. */
  readonly look: () => Promise<T | undefined>;
  /** How long others are waited for. */
  readonly mostMs: number;
};

/** Who asks an upstream, among those who share what they learn. */
export interface SharedTurns {
  /** Rejects as `ask` and `look` do. */
  one<T>(turn: TurnOf<T>): Promise<T>;
}

export class FleetTurns implements SharedTurns {
  readonly #fleet: Pick<Fleet, "acquire">;
  readonly #clock: Clock;

  constructor(fleet: Pick<Fleet, "acquire">, clock: Clock) {
    this.#fleet = fleet;
    this.#clock = clock;
  }

  async one<T>(turn: TurnOf<T>): Promise<T> {
    if (Buffer.byteLength(turn.key) > MOST_KEY_BYTES) return await turn.ask();
    const until = this.#clock.elapsed() + turn.mostMs;
    for (;;) {
      const told = await turn.look();
      if (told !== undefined) return told;
      const lease = await this.#acquire(turn.key);
      if (lease === "alone") return await turn.ask();
      if (lease !== undefined) return await withLease(lease, turn);
      if (this.#clock.elapsed() >= until) return await turn.ask();
      await sleep(LOOK_MS, this.#clock);
    }
  }

  async #acquire(key: string): Promise<Lease | undefined | "alone"> {
    try {
      return await this.#fleet.acquire(key);
    } catch (error) {
      if (isGranaryError(error)) return "alone";
      throw error;
    }
  }
}

/** Somebody may have asked between the look and the lease. */
async function withLease<T>(lease: Lease, { ask, look }: TurnOf<T>): Promise<T> {
  try {
    return (await look()) ?? (await ask());
  } finally {
    await lease.release();
  }
}
