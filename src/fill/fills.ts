/**
 * Owns the map of running Fills: at most one per digest per process (F1). It starts and finds them, and drains them when
 * the process stops; what a Fill does is its own.
 */
import type { Digest } from "../oci/digest.ts";
import { Fill, type FillAsk, type FillSurroundings } from "./fill.ts";

export class Fills {
  readonly #around: FillSurroundings;
  readonly #fills = new Map<Digest, Fill>();
  /** Fills that have left the map and still hold their partial open: the next fill of the digest waits for them. */
  readonly #ending = new Map<Digest, Promise<void>>();

  constructor(around: FillSurroundings) {
    this.#around = around;
  }

  /**
   * The running Fill of `digest`, or a new one. Synchronous: look-up and insert share a tick (F1). The size of a running
   * fill wins over `ask.size`.
   */
  obtain(ask: FillAsk): Fill {
    const running = this.#fills.get(ask.digest);
    if (running !== undefined) {
      running.addOrigin(ask.origin);
      return running;
    }
    const after = this.#ending.get(ask.digest) ?? Promise.resolve();
    const fill = new Fill(ask, this.#around, after, (left) => this.#leave(left));
    this.#fills.set(ask.digest, fill);
    return fill;
  }

  find(digest: Digest): Fill | undefined {
    return this.#fills.get(digest);
  }

  /** A fill of `digest` that starts from now on opens its partial only after `work`: somebody is removing it. */
  holdBack(digest: Digest, work: Promise<void>): void {
    this.#await(
      digest,
      work.catch(() => {}),
    );
  }

  status(): Fill["facts"][] {
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

  #leave(fill: Fill): void {
    if (this.#fills.get(fill.digest) !== fill) return;
    this.#fills.delete(fill.digest);
    this.#await(fill.digest, fill.ended);
  }

  /** Adds to what the next fill of `digest` waits for: two may hold its partial one after another. */
  #await(digest: Digest, ended: Promise<void>): void {
    const all = Promise.all([this.#ending.get(digest), ended]).then(() => {
      if (this.#ending.get(digest) === all) this.#ending.delete(digest);
    });
    this.#ending.set(digest, all);
  }
}
