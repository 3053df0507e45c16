/**
 * Owns the tensor puller's slow rule: once five blobs are known, one that runs for more than 5 s below a tenth of the
 * median speed is given up. The first two times are free.
 */

const KEPT = 30;
const NEEDED = 5;
const SMALLEST_COUNTED = 100_000;
const PATIENCE_MS = 5_000;

export class SpeedRecord {
  readonly #speeds: number[] = [];

  /** A blob of `size` bytes took `tookMs`. */
  record(size: number, tookMs: number): void {
    if (size < SMALLEST_COUNTED) return;
    this.#speeds.push(size / Math.max(1, tookMs));
    if (this.#speeds.length > KEPT) this.#speeds.shift();
  }

  /** Whether a blob with `received` bytes after `ranMs` is too slow to go on. */
  isTooSlow(received: number, ranMs: number): boolean {
    if (this.#speeds.length < NEEDED || ranMs <= PATIENCE_MS) return false;
    const sorted = this.#speeds.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
    return received / ranMs < median / 10;
  }
}
