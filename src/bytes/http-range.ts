/**
 * Owns the inclusive ranges of HTTP (RFC 9110, 14), in both directions: the Range header that clients send us and that we send
 * upstreams, and the Content-Range of either's answers. Everywhere else a range is half-open. Pure.
 */
import { type ByteRange, byteRange, isByteCount, lengthOf } from "./byte-range.ts";

/**
 * What is to be answered: one range; several, in the order in which they were asked for; "whole" where the header is to be ignored (the
 * answer is a 200); "unsatisfiable" (416); or "too many" (400).
 */
type AskedRanges = ByteRange | readonly ByteRange[] | "whole" | "unsatisfiable" | "too many";

export type ContentRange = {
  /** undefined for an unsatisfied range (the form of a 416). */
  readonly range: ByteRange | undefined;
  /** Bytes of the whole; undefined for `*`. */
  readonly size: number | undefined;
};

/** Podman asks for up to 1024 ranges at once, and for fewer after a 400 (docs/protocol.md#ranges). No known client asks for four times as many. */
const MOST_RANGES = 4096;
/** How many ranges may begin before the end of the range before them. More than a few are an attack or a mistake (RFC 9110, 14.2). */
const MOST_STEPS_BACK = 16;

/**
 * The ranges that a Range header asks for of a body of `size` bytes, clipped to it. Another unit, and a header that cannot be read, mean the
 * whole; so do several ranges that together have more bytes than the body, or that jump back and forth, as other servers do it. Of several
 * ranges, those that lie outside the body are left out.
 */
export function parseRangeHeader(header: string | undefined, size: number): AskedRanges {
  const [, set] = /^\s*bytes\s*=(.*)$/is.exec(header ?? "") ?? [];
  if (set === undefined) return "whole";
  const members = set.split(",", 2 * MOST_RANGES + 2).filter((member) => member.trim() !== "");
  if (members.length > MOST_RANGES) return "too many";
  const ranges: ByteRange[] = [];
  for (const member of members) {
    const range = parseRange(member, size);
    if (range === undefined) return "whole";
    if (range.start < range.end) ranges.push(range);
  }
  const [first, second] = ranges;
  if (first === undefined) return members.length === 0 ? "whole" : "unsatisfiable";
  if (second === undefined) return first;
  return isSane(ranges, size) ? ranges : "whole";
}

/**
 * One range of the set; undefined when the text is not a range. An empty result lies outside the body: the first byte is past the end, the
 * last byte is before the first (distribution-spec conformance asks for `500-0`), or it is an empty suffix.
 */
function parseRange(member: string, size: number): ByteRange | undefined {
  const [, first, last] = /^\s*(\d*)\s*-\s*(\d*)\s*$/.exec(member) ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  return { start, end };
}

function isSane(ranges: readonly ByteRange[], size: number): boolean {
  let bytes = 0;
  let stepsBack = 0;
  let previousEnd = 0;
  for (const range of ranges) {
    bytes += lengthOf(range);
    if (range.start < previousEnd) stepsBack++;
    previousEnd = range.end;
  }
  return bytes <= size && stepsBack <= MOST_STEPS_BACK;
}

/** The Range header for `range`: `bytes=0-499`. Throws a RangeError for an empty range, and for what `byteRange` refuses. */
export function formatRangeHeader(range: ByteRange): string {
  const { start, end } = byteRange(range.start, range.end);
  if (start === end) throw new RangeError(`[${start}, ${end}) is empty, and no Range header can say that.`);
  return `bytes=${start}-${end - 1}`;
}

/** What a Content-Range says; undefined when it is absent, unreadable or contradicts itself. */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const [, first, last, total] = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/i.exec(header?.trim() ?? "") ?? [];
  if (total === undefined) return undefined;
  const size = total === "*" ? undefined : Number(total);
  // A number with more digits than a double can hold would be rounded to another byte.
  if (![size ?? 0, Number(first ?? 0), Number(last ?? 0) + 1].every(isByteCount)) return undefined;
  if (first === undefined) return { range: undefined, size };
  const range = { start: Number(first), end: Number(last) + 1 };
  const isSound = range.end > range.start && (size === undefined || range.end <= size);
  return isSound ? { range, size } : undefined;
}

// `bytes 0-499/2048`; without a range the form of a 416: `bytes */2048` (a doc comment would end there).
export function formatContentRange(range: ByteRange | undefined, size: number): string {
  return range === undefined ? `bytes */${size}` : `bytes ${range.start}-${range.end - 1}/${size}`;
}
