/**
 * Owns ByteRange: half-open `[start, end)` in bytes. The inclusive form of HTTP never appears here; it exists
 * only at the HTTP edges.
 */

export type ByteRange = {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
};

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
