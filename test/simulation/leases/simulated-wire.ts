/**
 * Owns the way of a node's questions to the database and of the answers back: either may be late or lost, so that a statement is done without
 * its answer, or long after nobody waits for it any more.
 */
import { GranaryError } from "../../../src/errors.ts";
import type { Carrying } from "../../support/memory-lease-rows.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import type { Timeline } from "./timeline.ts";

const PATIENCE_MS = 2_500;
const PROBE_MS = 500;

/** The same for all nodes, and changed while they run. */
export type Weather = {
  isAway: boolean;
  /** Which database it is. What was sent to the one before does not reach it. */
  life: number;
  /** Part of the messages. */
  loss: number;
  mostDelayMs: number;
  /** Names of nodes that reach the database no more. */
  readonly cutOff: Set<string>;
};

export class SimulatedWire implements Carrying {
  readonly #node: string;
  readonly #process: SimulatedProcess;
  readonly #timeline: Timeline;
  readonly #weather: Weather;
  readonly #listeners = new Set<(isAnswering: boolean) => void>();
  #isAnswering = true;

  constructor(node: string, process: SimulatedProcess, timeline: Timeline, weather: Weather) {
    this.#node = node;
    this.#process = process;
    this.#timeline = timeline;
    this.#weather = weather;
  }

  get isAnswering(): boolean {
    return this.#isAnswering;
  }

  readonly onAnswering = (listener: (isAnswering: boolean) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly carry = <T>(statement: () => T): Promise<T> => {
    if (!this.#isAnswering) return Promise.reject(unavailable());
    const { life } = this.#weather;
    return new Promise((resolve, reject) => {
      const patience = this.#process.after(PATIENCE_MS, () => {
        if (this.#isOutOfReach) this.#turn(false);
        reject(unavailable());
      });
      this.#send(() => {
        if (this.#isOutOfReach || life !== this.#weather.life) return;
        const answer = statement();
        if (this.#timeline.chance(this.#weather.loss)) return;
        this.#process.deliver(this.#delayMs(), () => {
          patience.cancel();
          resolve(answer);
        });
      });
    });
  };

  #send(arrive: () => void): void {
    if (this.#timeline.chance(this.#weather.loss)) return;
    this.#timeline.at(this.#delayMs(), arrive);
  }

  get #isOutOfReach(): boolean {
    return this.#weather.isAway || this.#weather.cutOff.has(this.#node);
  }

  #delayMs(): number {
    return this.#timeline.between(1, this.#timeline.chance(0.1) ? this.#weather.mostDelayMs : 10);
  }

  #turn(isAnswering: boolean): void {
    if (isAnswering === this.#isAnswering) return;
    this.#isAnswering = isAnswering;
    for (const listener of this.#listeners) listener(isAnswering);
    if (!isAnswering) this.#probe();
  }

  #probe(): void {
    this.#process.after(PROBE_MS, () => {
      if (this.#isOutOfReach) this.#probe();
      else this.#turn(true);
    });
  }
}

function unavailable(): GranaryError {
  return new GranaryError("fleet-unavailable", "The database of the simulation does not answer.");
}
