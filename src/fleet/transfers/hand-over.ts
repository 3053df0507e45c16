/**
 * Owns when a node that brings a blob for others leaves that to one of them, because nothing reaches it from upstream: the line may be its own, and
 * theirs may work. It only judges; what its judgement costs when it is wrong is what was under way on a few connections.
 *
 * It must never let two nodes hand a blob to and fro for ever: an upstream that takes long for everybody finds more patience each time.
 */
import type { Clock } from "../../observe/clock.ts";

/** After a failure, and where nothing is said at all: a registry may fetch a blob itself before it sends the first byte. */
const FAILED_MS = 3_000;
const SILENT_MS = 10_000;

export class HandOver {
  readonly #clock: Clock;
  /** Reads of other nodes from this one. Without one, nobody is there to leave it to. */
  #followers = 0;
  /** Reads of upstream that wait for bytes. Without one, nobody wants any: that none come shows nothing. */
  #waiting = 0;
  #hasFailed = false;
  /** When the last byte came, of the clock's `elapsed`; later by the time in which none was waited for. */
  #since = 0;
  /** When nothing was waited for any more. */
  #idleSince = 0;
  #times = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** This node begins to bring the blob. */
  begun(): void {
    this.#hasFailed = false;
    this.#since = this.#idleSince = this.#clock.elapsed();
  }

  /** Another node begins to read from here. Returns what is to be called when it has ended. */
  followed(): () => void {
    this.#followers += 1;
    return once(() => {
      this.#followers -= 1;
    });
  }

  /** Bytes are waited for. Returns what is to be called once they came, it failed, or nobody waits any more. */
  waits(): () => void {
    // Between two tries nothing is waited for either, and that is no idleness.
    if (this.#waiting === 0 && !this.#hasFailed) this.#since += this.#clock.elapsed() - this.#idleSince;
    this.#waiting += 1;
    return once(() => {
      this.#waiting -= 1;
      this.#idleSince = this.#clock.elapsed();
    });
  }

  came(): void {
    this.#hasFailed = false;
    this.#times = 0;
    this.#since = this.#idleSince = this.#clock.elapsed();
  }

  failed(): void {
    this.#hasFailed = true;
  }

  /** True once for each time that the blob should be left to another node. */
  isDue(): boolean {
    if (this.#followers === 0 || (!this.#hasFailed && this.#waiting === 0)) return false;
    const patience = (this.#hasFailed ? FAILED_MS : SILENT_MS) * 2 ** this.#times;
    if (this.#clock.elapsed() - this.#since <= patience) return false;
    this.#times += 1;
    this.begun();
    return true;
  }
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}
