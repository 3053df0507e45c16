/**
 * Owns the Range header of requests and the Content-Range of answers (RFC 9110, 14): the only place of the face where the
 * inclusive form becomes half-open and back. Pure.
 */
import { type ByteRange, lengthOf } from "./byte-range.ts";

/**
 * What is to be answered: one range; several, in the order in which they were asked for; "whole" where there is nothing to honour (the
 * answer is a 200); "unsatisfiable" (416); or "too many" (400).
 */
export type AskedRanges = ByteRange | readonly ByteRange[] | "whole" | "unsatisfiable" | "too many";

/**
 * Podman and its kin ask for up to 1024 ranges at once, and for half as many after a 400, as stargz-snapshotter asks for one. Four times
 * that is no client that is known.
 */
const MOST_RANGES = 4096;
/** Ranges that begin before the end of the one before: more than a few are no client's plan (RFC 9110, 14.2). */
const MOST_STEPS_BACK = 16;

/**
 * The ranges that `header` asks of `size` bytes, clipped to them. Another unit and what cannot be read mean the whole; so do sets that
 * would bring more bytes than there are, or jump about, as other servers have it. Of several ranges those that lie outside are left out.
 */
export function parseRanges(header: string | undefined, size: number): AskedRanges {
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
 * One range of the set; undefined when it is none. One that is empty lies outside: its first byte is past the end, its end before its
 * start (distribution-spec conformance), or it is an empty suffix.
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

// `bytes 0-499/2048`; without a range the form of a 416: `bytes */2048`.
export function formatContentRange(range: ByteRange | undefined, size: number): string {
  return range === undefined ? `bytes */${size}` : `bytes ${range.start}-${range.end - 1}/${size}`;
}
