/**
 * Owns last uses of tags: they are collected in memory and written in one batch every few seconds, so that a hit costs no database write. Where
 * they cannot be written they wait for the next batch, in bounded memory: only the dates on which people decide what is unused are at stake.
 */
import { messageOf } from "../../errors.ts";
import type { ContentRows, TagUse } from "../../metadata/content-rows.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { Clock, Timer } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";

const EVERY_MS = 5_000;
/** Tags that wait; the one that has waited longest is forgotten first. */
const MOST_WAITING = 20_000;

export class TagUses {
  readonly #rows: Pick<ContentRows, "recordTagUses">;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pending = new Map<string, TagUse>();
  #timer: Timer | undefined;

  constructor(rows: Pick<ContentRows, "recordTagUses">, clock: Clock, log: Log) {
    this.#rows = rows;
    this.#clock = clock;
    this.#log = log;
  }

  touch({ upstream, repository }: RepositoryKey, tag: string): void {
    this.#timer ??= this.#clock.after(EVERY_MS, () => void this.flush());
    const key = `${upstream}\n${repository}\n${tag}`;
    const known = this.#pending.get(key);
    // Further uses of the same tag only move its date.
    if (known !== undefined) known.usedAt = this.#clock.now();
    else this.#add(key, { upstream, repository, tag, usedAt: this.#clock.now() });
  }

  #add(key: string, use: TagUse): void {
    this.#pending.set(key, use);
    const [first] = this.#pending.keys();
    if (this.#pending.size > MOST_WAITING && first !== undefined) this.#pending.delete(first);
  }

  /** Writes what is pending. Never throws: a failure is logged, and what could not be written waits for the next use. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const batch = [...this.#pending].map(([key, use]) => ({ key, use: { ...use } }));
    if (batch.length === 0) return;
    try {
      await this.#rows.recordTagUses(batch.map(({ use }) => use));
      for (const { key, use } of batch)
        if (this.#pending.get(key)?.usedAt === use.usedAt) this.#pending.delete(key);
    } catch (error) {
      this.#log.warn({ reason: messageOf(error) }, "last uses of tags could not be written yet");
    }
  }
}
