/**
 * Owns the map of running Fills: at most one per digest and upstream per process (F1). It starts and finds them, and drains them
 * when the process stops; what a Fill does is its own. Only what is verified is shared between upstreams, and that by the store.
 */
import type { PartialKey } from "../store/partial.ts";
import { Fill, type FillAsk, type FillSurroundings } from "./fill.ts";
import { type UnsizedAsk, UnsizedFill } from "./unsized-fill.ts";

/** Of a known size, or of one that nobody states. */
export type RunningFill = Fill | UnsizedFill;

export class Fills {
  readonly #around: FillSurroundings;
  readonly #fills = new Map<string, RunningFill>();
  /** Fills that have left the map and still hold their partial open: the next fill of their kind waits for them. */
  readonly #ending = new Map<string, Promise<void>>();

  constructor(around: FillSurroundings) {
    this.#around = around;
  }

  /**
   * The running Fill of the digest at this upstream, or a new one. Synchronous: look-up and insert share a tick (F1). The size of a
   * running fill wins over `ask.size`, unless the upstream itself stands behind that one.
   */
  obtain(ask: FillAsk): RunningFill {
    const running = this.find(ask);
    if (running !== undefined && !isRefuted(running, ask)) {
      running.addOrigin(ask.origin);
      return running;
    }
    const fill = new Fill(ask, this.#around, this.#freed(ask), (left) => this.#leave(left));
    this.#fills.set(keyOf(ask), fill);
    return fill;
  }

  /** The same of a blob whose size nobody states: its readers are of the whole. */
  obtainUnsized(ask: UnsizedAsk): RunningFill {
    const running = this.find(ask);
    if (running !== undefined) return running;
    const fill = new UnsizedFill(ask, this.#around, this.#freed(ask), (left) => this.#leave(left));
    this.#fills.set(keyOf(ask), fill);
    return fill;
  }

  find(key: PartialKey): RunningFill | undefined {
    return this.#fills.get(keyOf(key));
  }

  status(): RunningFill["facts"][] {
    return [...this.#fills.values()].map((fill) => fill.facts);
  }

  /** Ends every fill, keeping what is there; resolves when all have let go, or after `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    const stopping = [...this.#fills.values()].map((fill) => fill.stop());
    const deadline = Promise.withResolvers<void>();
    const timer = this.#around.clock.after(deadlineMs, deadline.resolve);
    await Promise.race([Promise.all([...stopping, ...this.#ending.values()]), deadline.promise]);
    timer.cancel();
  }

  /** Resolves when nobody has the partial any more that a new fill of this kind opens. */
  #freed({ digest, upstream }: PartialKey): Promise<void> {
    return this.#ending.get(keyOf({ digest, upstream })) ?? Promise.resolve();
  }

  #leave(fill: RunningFill): void {
    const key = keyOf(fill);
    if (this.#fills.get(key) !== fill) return;
    this.#fills.delete(key);
    this.#await(key, fill.ended);
  }

  /** Adds to what the next fill of `key` waits for: two may hold its partial one after another. */
  #await(key: string, ended: Promise<void>): void {
    const all = Promise.all([this.#ending.get(key), ended]).then(() => {
      if (this.#ending.get(key) === all) this.#ending.delete(key);
    });
    this.#ending.set(key, all);
  }
}

function isRefuted(running: RunningFill, ask: FillAsk): boolean {
  return ask.isSizeSure === true && running.size !== ask.size && running.refute(ask.size);
}

function keyOf({ digest, upstream }: PartialKey): string {
  return `${upstream}\n${digest}`;
}
