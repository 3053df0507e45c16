/**
 * Owns the buffers that bodies travel through: two per body, large ones while few bodies are open, smaller ones when many
 * are, so that a hundred streams stay within little more memory than ten. Buffers of finished bodies are used again.
 */

const LARGEST = 2 ** 20;
const SMALLEST = 2 ** 16;
/** What open bodies together may hold before new ones get the smallest buffers. */
const BUDGET = 24 * 2 ** 20;
/** Beyond this new ones are a quarter of that: thousands of clients that take nothing must not hold a gigabyte. */
const CROWDED = 64 * 2 ** 20;
/** What may lie around unused. */
const SPARE = 16 * 2 ** 20;

export type BufferPair = readonly [Uint8Array, Uint8Array];

export class BufferPool {
  readonly #spare = new Map<number, BufferPair[]>();
  #spareBytes = 0;
  #takenBytes = 0;

  /** Two buffers for a body of `length` bytes; the taker gives them back once. */
  take(length: number): BufferPair {
    const size = this.#sizeFor(length);
    this.#takenBytes += 2 * size;
    const pair = this.#spare.get(size)?.pop();
    if (pair === undefined) return [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)];
    this.#spareBytes -= 2 * size;
    return pair;
  }

  /** `isIdle` is false while a write that names the pair may be under way: another body must not get it then. */
  give(pair: BufferPair, isIdle: boolean): void {
    const size = pair[0].byteLength;
    this.#takenBytes -= 2 * size;
    if (!isIdle || size < SMALLEST || this.#spareBytes + 2 * size > SPARE) return;
    this.#spareBytes += 2 * size;
    const pairs = this.#spare.get(size);
    if (pairs === undefined) this.#spare.set(size, [pair]);
    else pairs.push(pair);
  }

  /** Powers of two, so that spare ones fit; exact for what is smaller than all of them. */
  #sizeFor(length: number): number {
    if (this.#takenBytes > CROWDED) return Math.max(1, Math.min(length, SMALLEST / 4));
    if (length <= SMALLEST) return Math.max(1, length);
    // A quarter of what is left: the last large pair leaves room for others.
    const share = (BUDGET - this.#takenBytes) / 4;
    let size = LARGEST;
    while (size > SMALLEST && (size >= 2 * length || 2 * size > share)) size /= 2;
    return size;
  }
}
