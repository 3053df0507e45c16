/**
 * Owns the buffers that bodies travel through: two per body, large ones while few bodies are open, smaller ones when many
 * are, so that a hundred streams stay within little more memory than ten. Buffers of finished bodies are used again.
 */

const LARGEST = 2 ** 20;
const SMALLEST = 2 ** 16;
/** When the buffers of all open bodies together are larger than this, new bodies get the smallest ones. */
const BUDGET = 24 * 2 ** 20;
/** Beyond this, new buffers are a quarter of the smallest: thousands of clients that read nothing must not hold a gigabyte. */
const CROWDED = 64 * 2 ** 20;
/** How many bytes of unused buffers are kept for the next bodies. */
const SPARE = 16 * 2 ** 20;

type BufferPair = readonly [Uint8Array, Uint8Array];

export class BufferPool {
  readonly #spare = new Map<number, BufferPair[]>();
  #spareBytes = 0;
  #takenBytes = 0;

  /** Two buffers for a body of `length` bytes; the caller gives them back once. */
  take(length: number): BufferPair {
    const size = this.#sizeFor(length);
    this.#takenBytes += 2 * size;
    const pair = this.#spare.get(size)?.pop();
    if (pair === undefined) return [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)];
    this.#spareBytes -= 2 * size;
    return pair;
  }

  /** `isIdle` is false while a write from the pair may be under way: then no other body may get it. */
  give(pair: BufferPair, isIdle: boolean): void {
    const size = pair[0].byteLength;
    this.#takenBytes -= 2 * size;
    if (!isIdle || size < SMALLEST || this.#spareBytes + 2 * size > SPARE) return;
    this.#spareBytes += 2 * size;
    const pairs = this.#spare.get(size);
    if (pairs === undefined) this.#spare.set(size, [pair]);
    else pairs.push(pair);
  }

  /** A power of two, so that a spare pair fits many bodies; the exact length for a body smaller than that. */
  #sizeFor(length: number): number {
    if (this.#takenBytes > CROWDED) return Math.max(1, Math.min(length, SMALLEST / 4));
    if (length <= SMALLEST) return Math.max(1, length);
    // At most a quarter of what is left of the budget, so that no body takes all of it.
    const share = (BUDGET - this.#takenBytes) / 4;
    let size = LARGEST;
    while (size > SMALLEST && (size >= 2 * length || 2 * size > share)) size /= 2;
    return size;
  }
}
