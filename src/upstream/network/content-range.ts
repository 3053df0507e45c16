/** Owns the reading of `Content-Range` (RFC 9110, 14.4). The inclusive HTTP form ends here. Pure. */
import { type ByteRange, isByteCount } from "../../bytes/byte-range.ts";

export type ContentRange = {
  /** undefined for an unsatisfied range. */
  readonly range: ByteRange | undefined;
  /** Bytes of the whole; undefined for `*`. */
  readonly size: number | undefined;
};

/** undefined when the header is absent, unreadable or contradicts itself. */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const [, from, to, total] = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/i.exec(header?.trim() ?? "") ?? [];
  if (total === undefined) return undefined;
  const size = total === "*" ? undefined : Number(total);
  // More digits than a double holds: which byte is meant cannot be told.
  if (![size ?? 0, Number(from ?? 0), Number(to ?? 0) + 1].every(isByteCount)) return undefined;
  if (from === undefined) return { range: undefined, size };
  const range = { start: Number(from), end: Number(to) + 1 };
  const isSound = range.end > range.start && (size === undefined || range.end <= size);
  return isSound ? { range, size } : undefined;
}
