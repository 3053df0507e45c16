/**
 * Owns when a Fill saves its map: while bytes arrive, at most a second or 64 MiB apart, beside the fill and never in its
 * way. What a checkpoint does is the Partial's.
 */
import type { Clock, Timer } from "../observe/clock.ts";
import type { Partial } from "../store/partial.ts";

const EVERY_MS = 1_000;
const EVERY_BYTES = 64 * 1024 * 1024;

export class Checkpoints {
  readonly #partial: Partial;
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  #unsaved = 0;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  /** `failed` hears of a checkpoint in the background that could not be written. */
  constructor(partial: Partial, clock: Clock, failed: (error: unknown) => void) {
    this.#partial = partial;
    this.#clock = clock;
    this.#failed = failed;
  }

  arrived(bytes: number): void {
    this.#unsaved += bytes;
    if (this.#stopped) return;
    if (this.#unsaved >= EVERY_BYTES) this.#start();
    else this.#timer ??= this.#clock.after(EVERY_MS, () => this.#start());
  }

  /** No more checkpoints in the background; waits for one that runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #start(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#stopped || this.#running !== undefined) return;
    this.#unsaved = 0;
    this.#running = this.#partial
      .checkpoint()
      .catch(this.#failed)
      .finally(() => {
        this.#running = undefined;
        if (this.#unsaved > 0) this.arrived(0);
      });
  }
}
