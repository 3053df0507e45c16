/**
 * Owns the Range header of requests and the Content-Range of answers (RFC 9110, 14): the only place of the face where the
 * inclusive form becomes half-open and back. Pure.
 */
import type { ByteRange } from "../bytes/byte-range.ts";

/** "whole" where there is no range to honour: the answer is a 200. */
export type AskedRange = ByteRange | "whole" | "unsatisfiable";

/**
 * The range that `header` asks of `size` bytes, clipped to them. Another unit, several ranges and what cannot be read mean
 * the whole; a first byte past the end, an end before the start (distribution-spec conformance) and an empty suffix
 * cannot be satisfied.
 */
export function parseRange(header: string | undefined, size: number): AskedRange {
  const [, first, last] = /^\s*bytes\s*=[\s,]*(\d*)\s*-\s*(\d*)[\s,]*$/i.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return "whole";
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  return start < end ? { start, end } : "unsatisfiable";
}

// `bytes 0-499/2048`; without a range the form of a 416: `bytes */2048`.
export function formatContentRange(range: ByteRange | undefined, size: number): string {
  return range === undefined ? `bytes */${size}` : `bytes ${range.start}-${range.end - 1}/${size}`;
}
