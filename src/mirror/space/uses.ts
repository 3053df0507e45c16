/** Owns last uses: kept in memory and written in batches, about once a second, so that a hit costs no database write. */
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
    // At the end again: the order of the entries is the order of the uses, whatever the date does.
    this.#pending.delete(digest);
    this.#pending.set(digest, this.#clock.now());
    this.#timer ??= this.#clock.after(EVERY_MS, () => void this.#flushInBackground());
  }

  /**
   * Writes what is pending, after uses from the future (the clock was ahead then) have become ones from before it: such a blob would
   * never go. Throws what Metadata threw; nothing is lost then.
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

/** Where the date fell back between two uses, their order is all that is right about them: they become the last moments before `now`. */
function keepOrder(uses: Map<Digest, number>, now: number): void {
  if ([...uses.values()].every((usedAt) => usedAt <= now)) return;
  let at = now - uses.size;
  for (const digest of uses.keys()) uses.set(digest, ++at);
}
