/**
 * Owns one process of a node in the simulation of leases: its clocks, its timers and what reaches it. While it is stopped or asleep nothing runs;
 * when it wakes, what has come meanwhile and what is due run in any order. A killed one never runs again.
 */
import type { Clock, Timer } from "../../../src/observe/clock.ts";
import type { Timeline } from "./timeline.ts";

type Drift = {
  /** How fast its clock goes. */
  readonly rate: number;
  /** How wrong its date is, ms. */
  readonly skewMs: number;
};

export class SimulatedProcess implements Clock {
  readonly #timeline: Timeline;
  readonly #rate: number;
  #skewMs: number;
  #elapsedBefore: number;
  #measuredAt: number;
  #state: "running" | "stopped" | "asleep" | "dead" = "running";
  readonly #held: (() => void)[] = [];

  constructor(timeline: Timeline, { rate, skewMs }: Drift) {
    this.#timeline = timeline;
    this.#rate = rate;
    this.#skewMs = skewMs;
    this.#measuredAt = timeline.now;
    this.#elapsedBefore = Math.floor(timeline.random() * 1e6);
  }

  get isRunning(): boolean {
    return this.#state === "running";
  }

  get isDead(): boolean {
    return this.#state === "dead";
  }

  now(): number {
    return Math.floor(this.#timeline.now + this.#skewMs);
  }

  elapsed(): number {
    return Math.floor(this.#exactElapsed());
  }

  after(ms: number, run: () => void): Timer {
    const timer = { isCancelled: false };
    const due = this.#exactElapsed() + Math.max(0, ms);
    const look = () => {
      if (timer.isCancelled) return;
      const leftMs = due - this.#exactElapsed();
      if (leftMs <= 0.001) run();
      else this.deliver(leftMs / this.#rate, look);
    };
    this.deliver(Math.max(0, ms) / this.#rate, look);
    return {
      cancel() {
        timer.isCancelled = true;
      },
    };
  }

  /** Runs `run` in this process after `ms` of true time; later if it does not run then, never if it is dead. */
  deliver(ms: number, run: () => void): void {
    this.#timeline.at(ms, () => {
      if (this.#state === "running") run();
      else if (this.#state !== "dead") this.#held.push(run);
    });
  }

  /** By a signal: its clock goes on. */
  stop(): void {
    if (this.isRunning) this.#state = "stopped";
  }

  /** With its machine: the clock that never goes back stands still, the date does not. */
  sleep(): void {
    if (!this.isRunning) return;
    this.#elapsedBefore = this.#exactElapsed();
    this.#state = "asleep";
  }

  wake(): void {
    if (this.#state === "asleep") this.#measuredAt = this.#timeline.now;
    if (this.isDead || this.isRunning) return;
    this.#state = "running";
    for (const run of this.#held.splice(0)) this.deliver(this.#timeline.random() * 2, run);
  }

  kill(): void {
    this.#state = "dead";
    this.#held.length = 0;
  }

  /** Somebody sets its date. */
  setDateBy(ms: number): void {
    this.#skewMs += ms;
  }

  #exactElapsed(): number {
    if (this.#state === "asleep") return this.#elapsedBefore;
    return this.#elapsedBefore + (this.#timeline.now - this.#measuredAt) * this.#rate;
  }
}
