/**
 * Owns ByteRange: half-open `[start, end)` in whole bytes. The inclusive form of HTTP never appears here; it exists
 * only at the HTTP edges.
 */

export type ByteRange = {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
};

/**
 * The range `[start, end)`. Every range that comes out of arithmetic (rates, shares, halves) is made here. Throws a RangeError when
 * a bound is no whole number that a double holds exactly, or the two are the wrong way round: such a range is a fault of
 * ours, and upstreams answer it with 416 or by hanging up.
 */
export function byteRange(start: number, end: number): ByteRange {
  if (!isByteCount(start) || !isByteCount(end) || end < start) {
    throw new RangeError(`[${start}, ${end}) is no range of bytes.`);
  }
  return { start, end };
}

/** True for a whole number of bytes, 0 or more, that a double holds exactly: what a size or an offset can be. */
export function isByteCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

export function lengthOf(range: ByteRange): number {
  return range.end - range.start;
}

export function isEmpty(range: ByteRange): boolean {
  return range.end <= range.start;
}

/** The part of `a` that is also in `b`; empty (start == end) when they do not meet. */
export function intersect(a: ByteRange, b: ByteRange): ByteRange {
  const start = Math.max(a.start, b.start);
  return { start, end: Math.max(start, Math.min(a.end, b.end)) };
}

export function contains(range: ByteRange, offset: number): boolean {
  return offset >= range.start && offset < range.end;
}

/** For messages: `[0, 1024)`. */
export function formatRange(range: ByteRange): string {
  return `[${range.start}, ${range.end})`;
}
