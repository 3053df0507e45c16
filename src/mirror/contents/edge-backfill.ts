/**
 * Owns the reading of manifests that were stored before the database had edges: a few at a time in the background, so that the start waits for
 * nothing. Whoever must know all edges waits for `done`, and it then goes on without pauses.
 */
import { messageOf } from "../../errors.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { Clock, Timer } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import { Slices } from "../../waiting/slices.ts";

export type BackfillParts = {
  readonly rows: Pick<ContentRows, "backfillEdges">;
  readonly clock: Clock;
  readonly log: Log;
};

const PAUSE_MS = 20;
/** After a failure of the disk. */
const AGAIN_MS = 60_000;

export class EdgeBackfill {
  readonly #parts: BackfillParts;
  #isDone = false;
  #timer: Timer | undefined;
  #isStopped = false;
  #running: Promise<void> | undefined;

  constructor(parts: BackfillParts) {
    this.#parts = parts;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** Goes on by itself until all is done or `stop` is called. */
  start(): void {
    this.#next(0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Resolves when every stored manifest has its edges. Throws what the database throws. */
  async done(): Promise<void> {
    if (this.#isDone) return;
    this.#running ??= this.#all().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async #all(): Promise<void> {
    const slices = new Slices(this.#parts.clock);
    while (!this.#isStopped && (await this.#parts.rows.backfillEdges())) await slices.breathe();
    this.#isDone = !this.#isStopped;
  }

  #next(ms: number): void {
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.after(ms, () => void this.#step());
  }

  async #step(): Promise<void> {
    if (this.#isDone || this.#isStopped) return;
    try {
      if (await this.#parts.rows.backfillEdges()) this.#next(PAUSE_MS);
      else this.#isDone = true;
    } catch (error) {
      this.#parts.log.warn({ reason: messageOf(error) }, "what manifests list could not be read yet");
      this.#next(AGAIN_MS);
    }
  }
}
