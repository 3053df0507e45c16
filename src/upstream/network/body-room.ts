/**
 * Owns how many bytes of large lists may be in memory at once, whoever asked for them: those that are being read from registries, and those
 * that clients are being sent. Who comes when there is no room waits. It knows no list and frees no memory itself.
 */
import { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";

/** Bodies up to this pass without waiting: there cannot be so many of them that they matter. */
export const SMALL_BODY = 256 * 1024;

/** How long somebody waits for room. */
const PATIENCE_MS = 20_000;

type Waiter = { readonly bytes: number; readonly enter: () => void };

export class BodyRoom {
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #held = new Map<Uint8Array, number>();
  readonly #waiting: Waiter[] = [];
  #used = 0;

  /** `limit` in bytes. */
  constructor(limit: number, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** Bytes in use. */
  get used(): number {
    return this.#used;
  }

  /** Room for `bytes` that will come; call what is returned when they are held, or given up. Throws `aborted` when none comes free. */
  async reserve(bytes: number): Promise<() => void> {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) await this.#wait(bytes);
    else this.#used += bytes;
    return this.#giveBack(bytes);
  }

  /** `body` is in use until what is returned is called. Counted once, however many use it. Idempotent in its end. */
  hold(body: Uint8Array): () => void {
    const holders = this.#held.get(body) ?? 0;
    if (holders === 0) this.#used += body.byteLength;
    this.#held.set(body, holders + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const left = (this.#held.get(body) ?? 1) - 1;
      if (left > 0) this.#held.set(body, left);
      else {
        this.#held.delete(body);
        this.#free(body.byteLength);
      }
    };
  }

  /** Alone, also what is larger than all the room fits. */
  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#limit;
  }

  #wait(bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        timer.cancel();
        resolve();
      };
      const waiter = { bytes, enter };
      const timer = this.#clock.after(PATIENCE_MS, () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(crowded());
      });
      this.#waiting.push(waiter);
    });
  }

  #giveBack(bytes: number): () => void {
    let isHeld = true;
    return () => {
      if (isHeld) this.#free(bytes);
      isHeld = false;
    };
  }

  #free(bytes: number): void {
    this.#used -= bytes;
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#used += next.bytes;
      next.enter();
    }
  }
}

function crowded(): GranaryError {
  const text = "Too many large lists are being answered at once: try again in a moment.";
  return new GranaryError("aborted", text, { reason: text.slice(0, -1) });
}
