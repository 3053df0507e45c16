/**
 * Owns what could not be written to the fleet's database yet: it waits in memory, in its order, within bounds, until the database answers again.
 * What does not fit is dropped and counted: this node knows it all the same, and the others ask again. It must never fail whoever writes.
 */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { Log } from "../../observe/log.ts";

type Late = { readonly write: () => Promise<void>; readonly bytes: number };

const MOST_WRITES = 20_000;
const MOST_BYTES = 64 * 2 ** 20;

export class LateWrites {
  readonly #log: Log;
  readonly #waiting: Late[] = [];
  #bytes = 0;
  #dropped = 0;
  #flushing: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** Now, or when those before it are written. `bytes`: what it holds in memory meanwhile. Never rejects. */
  async write(write: () => Promise<void>, bytes = 256): Promise<void> {
    if (this.#waiting.length > 0) return this.#wait({ write, bytes });
    if (!(await this.#try(write))) this.#wait({ write, bytes });
  }

  /** Writes what waits, until the database fails again. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    for (let late = this.#waiting[0]; late !== undefined; late = this.#waiting[0]) {
      if (!(await this.#try(late.write))) return;
      if (this.#waiting[0] === late) this.#drop();
    }
    if (this.#dropped > 0)
      this.#log.warn(
        { dropped: this.#dropped },
        "not all that this node learned alone is known to the fleet: it is asked for again",
      );
    this.#dropped = 0;
  }

  /** False while the database does not answer. */
  async #try(write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
    } catch (error) {
      if (isGranaryError(error, "fleet-unavailable")) return false;
      if (!isGranaryError(error, "closed"))
        this.#log.error({ reason: messageOf(error) }, "a row cannot be written to the database of the fleet");
    }
    return true;
  }

  #wait(late: Late): void {
    this.#waiting.push(late);
    this.#bytes += late.bytes;
    while (this.#waiting.length > MOST_WRITES || this.#bytes > MOST_BYTES) {
      this.#drop();
      this.#dropped += 1;
    }
  }

  #drop(): void {
    this.#bytes -= this.#waiting.shift()?.bytes ?? 0;
  }
}
