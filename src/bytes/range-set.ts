/**
 * Owns RangeSet: a set of bytes as sorted ByteRanges that neither overlap nor touch. It does no I/O and never contains an empty range. A
 * look-up is a binary search; adding next to the last range takes constant time on average.
 */
import type { ByteRange } from "./byte-range.ts";

export class RangeSet implements Iterable<ByteRange> {
  #ranges: ByteRange[] = [];
  #total = 0;

  static of(ranges: Iterable<ByteRange>): RangeSet {
    const set = new RangeSet();
    for (const range of ranges) set.add(range);
    return set;
  }

  /** Bytes covered. */
  get total(): number {
    return this.#total;
  }

  /** Adds `range` and joins it with the ranges that it touches. Adding bytes that are covered already changes nothing. */
  add(range: ByteRange): void {
    if (range.end <= range.start) return;
    const from = this.#firstEndingAtOrAfter(range.start);
    let { start, end } = range;
    let to = from;
    for (; to < this.#ranges.length; to++) {
      const next = this.#ranges[to];
      if (next === undefined || next.start > end) break;
      start = Math.min(start, next.start);
      end = Math.max(end, next.end);
      this.#total -= next.end - next.start;
    }
    this.#ranges.splice(from, to - from, { start, end });
    this.#total += end - start;
  }

  has(offset: number): boolean {
    return this.endOfRunAt(offset) > offset;
  }

  /** True when every byte of `range` is covered; an empty range always is. */
  covers(range: ByteRange): boolean {
    return range.end <= range.start || this.endOfRunAt(range.start) >= range.end;
  }

  /** End of the covered run that holds `offset`; `offset` itself when it is not covered. */
  endOfRunAt(offset: number): number {
    const range = this.#ranges[this.#firstEndingAtOrAfter(offset + 1)];
    return range !== undefined && range.start <= offset ? range.end : offset;
  }

  /** Start of the first covered run at or after `offset`, or `limit` when there is none before it. */
  nextStart(offset: number, limit: number): number {
    const range = this.#ranges[this.#firstEndingAtOrAfter(offset + 1)];
    return range === undefined ? limit : Math.min(limit, Math.max(offset, range.start));
  }

  /** The first gap inside `within`, or undefined when it is fully covered. */
  firstGap(within: ByteRange): ByteRange | undefined {
    const start = this.endOfRunAt(within.start);
    if (start >= within.end) return undefined;
    return { start, end: this.nextStart(start, within.end) };
  }

  *[Symbol.iterator](): Iterator<ByteRange> {
    yield* this.#ranges;
  }

  /** A copy that later changes do not touch: what a checkpoint writes (F8). */
  snapshot(): readonly ByteRange[] {
    return [...this.#ranges];
  }

  /** Index of the first range whose end is >= offset. */
  #firstEndingAtOrAfter(offset: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.#ranges[middle];
      if (range !== undefined && range.end < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
