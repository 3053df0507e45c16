/**
 * Owns how much writing is under way at once: small files are written side by side, within a few megabytes. It keeps the first
 * failure for whoever asks next, and knows nothing of what is written.
 */

const MOST_AT_ONCE = 8;
const MOST_BYTES = 4 * 1024 * 1024;

export class WriteQueue {
  readonly #running = new Set<Promise<void>>();
  #bytes = 0;
  #failure: { readonly error: unknown } | undefined;

  /** Starts `work` as soon as there is room for its `bytes`. Throws what earlier work threw. */
  async add(bytes: number, work: () => Promise<void>): Promise<void> {
    while (
      this.#running.size >= MOST_AT_ONCE ||
      (this.#running.size > 0 && this.#bytes + bytes > MOST_BYTES)
    ) {
      await Promise.race(this.#running);
    }
    this.#check();
    this.#bytes += bytes;
    const running: Promise<void> = work()
      .catch((error) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#bytes -= bytes;
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  /** Resolves when nothing is under way. Throws what earlier work threw. */
  async drain(): Promise<void> {
    await this.settle();
    this.#check();
  }

  /** The same without an error. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
