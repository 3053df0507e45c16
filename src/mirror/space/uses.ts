/** Owns last uses: they are collected in memory and written in batches, about once a second, so that a hit costs no database write. */
import { messageOf } from "../../errors.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Clock, Timer } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Digest } from "../../oci/digest.ts";

const EVERY_MS = 1_000;

export class Uses {
  readonly #metadata: Metadata;
  readonly #clock: Clock;
  readonly #log: Log;
  #pending = new Map<Digest, number>();
  #timer: Timer | undefined;

  constructor(metadata: Metadata, clock: Clock, log: Log) {
    this.#metadata = metadata;
    this.#clock = clock;
    this.#log = log;
  }

  touch(digest: Digest): void {
    // Moved to the end: the order of the entries is the order of the uses, also when somebody sets the clock back.
    this.#pending.delete(digest);
    this.#pending.set(digest, this.#clock.now());
    this.#timer ??= this.#clock.after(EVERY_MS, () => void this.#flushInBackground());
  }

  /**
   * Writes what is pending. Before that, stored uses with a date in the future (the clock was ahead then) get a past one: such a blob would
   * never be evicted. Throws what Metadata throws; nothing is lost then.
   */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const batch = this.#pending;
    this.#pending = new Map();
    try {
      const now = this.#clock.now();
      keepOrder(batch, now);
      await this.#metadata.clampUses(now, Math.min(now, ...batch.values()));
      if (batch.size > 0) await this.#metadata.touch(batch);
    } catch (error) {
      for (const [digest, usedAt] of batch) if (!this.#pending.has(digest)) this.#pending.set(digest, usedAt);
      throw error;
    }
  }

  async #flushInBackground(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      this.#log.warn(
        { reason: messageOf(error) },
        "last uses could not be written; trying again with the next hit",
      );
    }
  }
}

/** If the clock was set back between uses only their order is right: they get the last milliseconds before `now`, in that order. */
function keepOrder(uses: Map<Digest, number>, now: number): void {
  if ([...uses.values()].every((usedAt) => usedAt <= now)) return;
  let at = now - uses.size;
  for (const digest of uses.keys()) uses.set(digest, ++at);
}
