/**
 * Owns the map of running Fills: at most one per digest and upstream per process (F1). It starts and finds them, and drains them
 * when the process stops. What a Fill does is up to the Fill. Upstreams share only verified blobs, through the store.
 *
 * A fill that has left the map may still have its partial open for a moment. The next fill of the same blob starts anyway: the Spool makes
 * sure that a partial is never open twice, by letting the second one wait.
 */
import type { PartialKey } from "../store/partial.ts";
import { within } from "../waiting/deadline.ts";
import { Fill } from "./fill.ts";
import type { FillAsk, FillSurroundings } from "./fill-ask.ts";
import type { FillFacts } from "./fill-facts.ts";
import { LaneOrder } from "./lane-order.ts";

export class Fills {
  readonly #around: FillSurroundings;
  /** Which of them may use the line. */
  readonly #order: LaneOrder;
  readonly #fills = new Map<string, Fill>();
  /** Fills that have left the map and are not over yet. */
  readonly #leaving = new Set<Fill>();

  constructor(around: FillSurroundings) {
    this.#around = around;
    this.#order = new LaneOrder(around.clock, around.log, around.isOffline);
  }

  /**
   * The running Fill of the digest at this upstream, or a new one. Synchronous: look-up and insert share a tick (F1). The size of a
   * running fill counts, not `ask.size`, unless the upstream itself has stated the latter (`isSizeSure`).
   */
  obtain(ask: FillAsk): Fill {
    const running = this.find(ask);
    if (running !== undefined && !isRefuted(running, ask)) {
      running.addOrigin(ask.origin);
      return running;
    }
    const fill = new Fill(ask, this.#around, this.#order, (left) => this.#leave(left));
    this.#fills.set(keyOf(ask), fill);
    return fill;
  }

  /** An upstream was set offline or back. */
  lineChanged(): void {
    this.#order.changed();
  }

  find(key: PartialKey): Fill | undefined {
    return this.#fills.get(keyOf(key));
  }

  status(): FillFacts[] {
    return [...this.#fills.values()].map((fill) => fill.facts);
  }

  /** Resolves when every fill from `upstream` that there is now is over. */
  async over(upstream: string): Promise<void> {
    const running = [...this.#fills.values(), ...this.#leaving].filter((fill) => fill.upstream === upstream);
    await Promise.all(running.map((fill) => fill.ended));
  }

  /** Ends every fill and keeps what it has fetched; resolves when all are over, or after `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    const stopping = [...this.#fills.values(), ...this.#leaving].map((fill) => fill.stop());
    await within(Promise.all(stopping), deadlineMs, this.#around.clock);
  }

  #leave(fill: Fill): void {
    const key = keyOf(fill);
    if (this.#fills.get(key) === fill) this.#fills.delete(key);
    this.#leaving.add(fill);
    void fill.ended.then(() => this.#leaving.delete(fill));
  }
}

/** True when `ask` has the size from the upstream, and it is another one: the running fill has ended then. */
function isRefuted(running: Fill, { size, isSizeSure = false }: FillAsk): boolean {
  return isSizeSure && size !== undefined && running.size !== size && running.refute(size);
}

function keyOf({ digest, upstream }: PartialKey): string {
  return `${upstream}\n${digest}`;
}
