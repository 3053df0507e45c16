/**
 * Owns how many lanes one fill may run: the policy's number, or fewer where the line was seen to take no more. It learns from lanes
 * that got nothing while others of the same fill were served, and tries one more from time to time.
 */
import { FILL_RETRIES } from "../waiting/retry-numbers.ts";

const { laneRaiseMs, laneRestMs } = FILL_RETRIES;

export class LaneRoom {
  readonly #lanes: number;
  #most: number;
  #raiseAt = 0;
  /** Until when lanes rest. */
  #resting: number[] = [];

  constructor(lanes: number) {
    this.#lanes = lanes;
    this.#most = lanes;
  }

  /** The line, or the registry, gave a lane nothing while `left` others run: it gives no more at once. */
  refused(left: number, now: number): void {
    this.#most = Math.max(1, Math.min(this.#most, left));
    this.#raiseAt = now + laneRaiseMs;
  }

  /** A lane got nothing, and why says nothing of others. */
  rest(now: number): void {
    this.#resting.push(now + laneRestMs);
  }

  /** Nobody is served: what was learned says nothing any more. */
  forget(): void {
    this.#most = this.#lanes;
    this.#resting = [];
  }

  /** Lanes that the line takes. */
  most(now: number): number {
    if (this.#most < this.#lanes && now >= this.#raiseAt) {
      this.#most += 1;
      this.#raiseAt = now + laneRaiseMs;
    }
    return this.#most;
  }

  /** Lanes of those that rest just now. */
  resting(now: number): number {
    this.#resting = this.#resting.filter((until) => until > now);
    return this.#resting.length;
  }
}
