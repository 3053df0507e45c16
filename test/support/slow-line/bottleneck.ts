/**
 * Owns the sharing of one rate between whoever has something to carry: the same for each, and what one cannot use goes to
 * the others. It decides how many bytes, and never looks at them.
 */
import { Pace } from "./pace.ts";

export interface Sender {
  /** It had nothing to carry until now. */
  wake(now: number): void;
  /** Bytes that it could send now, were the line its own. */
  ready(now: number): number;
  /** It waits for something other than this line's rate; it will be offered again. */
  readonly isIdle: boolean;
  send(bytes: number, now: number): void;
}

const TICK_MS = 4;

export class Bottleneck {
  readonly #pace = new Pace(undefined);
  /** In turn: who was first last time is the last one now. */
  #senders: Sender[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isFrozen = false;
  #isPumping = false;

  change(rate: number | undefined): void {
    if (rate !== this.#pace.rate) this.#pace.change(rate, performance.now());
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** Nothing is carried until `thaw`. */
  freeze(): void {
    this.#isFrozen = true;
  }
  thaw(): void {
    this.#isFrozen = false;
    this.#pace.idled(performance.now());
    this.#pump();
  }

  /** `sender` has something to carry. */
  offer(sender: Sender): void {
    if (this.#senders.includes(sender)) return;
    const now = performance.now();
    if (this.#senders.length === 0) this.#pace.idled(now);
    sender.wake(now);
    this.#senders.push(sender);
    this.#pump();
  }

  leave(sender: Sender): void {
    this.#senders = this.#senders.filter((one) => one !== sender);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#senders = [];
  }

  #pump(): void {
    // What is sent can bring more at once; the turn that runs takes it.
    if (this.#isPumping || this.#isFrozen) return;
    this.#isPumping = true;
    this.#share(performance.now());
    this.#isPumping = false;
    this.#senders = this.#senders.filter((sender) => !sender.isIdle);
    if (this.#senders.length > 0 && this.#timer === undefined) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#pump();
      }, TICK_MS);
    }
  }

  #share(now: number): void {
    const turns = this.#senders
      .map((sender) => ({ sender, ready: sender.ready(now) }))
      .sort((one, other) => one.ready - other.ready);
    let left = this.#pace.allowance(now);
    for (const [index, { sender, ready }] of turns.entries()) {
      // Least first: what it leaves of its share is shared by the others.
      const bytes = Math.min(ready, Math.ceil(left / (turns.length - index)));
      if (bytes <= 0) continue;
      left -= bytes;
      this.#pace.spend(bytes);
      sender.send(bytes, now);
    }
    if (left > 0) this.#pace.idled(now);
    const [first] = this.#senders;
    if (first !== undefined) this.#senders = [...this.#senders.slice(1), first];
  }
}
