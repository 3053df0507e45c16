/**
 * Owns how many bytes of large lists may be in memory at once, over all requests: those that are being read from registries, and those that
 * are being sent to clients. When there is no room, a request waits. It only counts; the lists themselves belong to its callers.
 */
import { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";

/** Bodies up to this size, bytes, are read without a reservation: there are never enough of them to matter. */
export const SMALL_BODY = 256 * 1024;

/** The longest wait for room. */
const PATIENCE_MS = 20_000;

type Waiter = { readonly bytes: number; readonly enter: () => void };

export class BodyRoom {
  readonly #limit: number;
  readonly #clock: Clock;
  /** How many users each body has. */
  readonly #users = new Map<Uint8Array, number>();
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

  /**
   * Room for `bytes` that will be read. Call the returned function when they have been read and counted by `occupy`, or when they will not
   * come. Throws `aborted` when there is no room in time.
   */
  async reserve(bytes: number): Promise<() => void> {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) await this.#wait(bytes);
    else this.#used += bytes;
    return this.#giveBack(bytes);
  }

  /** `body` counts until the returned function is called (which may be called twice). A body with several users counts once. */
  occupy(body: Uint8Array): () => void {
    const users = this.#users.get(body) ?? 0;
    if (users === 0) this.#used += body.byteLength;
    this.#users.set(body, users + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = (this.#users.get(body) ?? 1) - 1;
      if (left > 0) this.#users.set(body, left);
      else {
        this.#users.delete(body);
        this.#free(body.byteLength);
      }
    };
  }

  /** A body that is larger than all the room fits when nothing else is there. */
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
    let isOver = false;
    return () => {
      if (!isOver) this.#free(bytes);
      isOver = true;
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
