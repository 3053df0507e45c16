/**
 * Owns the buffers that bodies travel through: two per body, large ones while few bodies are open, smaller ones when many
 * are, so that a hundred streams stay within the memory that ten need. Buffers of finished bodies are used again.
 */

const LARGEST = 2 ** 20;
const SMALLEST = 2 ** 17;
/** What all open bodies together should hold, and what may lie around unused. */
const BUDGET = 48 * 2 ** 20;
const SPARE = 16 * 2 ** 20;

export type BufferPair = readonly [Uint8Array, Uint8Array];

export class BufferPool {
  readonly #spare = new Map<number, BufferPair[]>();
  #spareBytes = 0;
  #open = 0;

  /** Two buffers for a body of `length` bytes. The taker calls `close` once, and `give` before it if they can be reused. */
  take(length: number): BufferPair {
    this.#open++;
    const size = this.#sizeFor(length);
    const pair = this.#spare.get(size)?.pop();
    if (pair === undefined) return [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)];
    this.#spareBytes -= 2 * size;
    return pair;
  }

  /** `pair` is idle: no write that names it is under way. */
  give(pair: BufferPair): void {
    const size = pair[0].byteLength;
    if (size < SMALLEST || this.#spareBytes + 2 * size > SPARE) return;
    this.#spareBytes += 2 * size;
    const pairs = this.#spare.get(size);
    if (pairs === undefined) this.#spare.set(size, [pair]);
    else pairs.push(pair);
  }

  close(): void {
    this.#open--;
  }

  /** Powers of two, so that spare ones fit; exact for what is smaller than all of them. */
  #sizeFor(length: number): number {
    if (length <= SMALLEST) return Math.max(1, length);
    let size = LARGEST;
    while (size > SMALLEST && (size >= 2 * length || 2 * size * this.#open > BUDGET)) size /= 2;
    return size;
  }
}
