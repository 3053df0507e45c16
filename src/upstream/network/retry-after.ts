/** Owns the reading of `Retry-After` (RFC 9110, 10.2.3): seconds or an HTTP date. Pure. */

/** No upstream may silence us for longer than Docker Hub's own window. */
const LONGEST_MS = 6 * 3600_000;

/**
 * Milliseconds from now; undefined when the header is absent or unreadable. A date is one of the server's clock, so it is compared with
 * the `Date` of the same answer, and with ours (`now`, epoch ms) only where that is missing.
 */
export function parseRetryAfter(header: string | undefined, now: number, date?: string): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const sentAt = Date.parse(date ?? "");
  const ms = /^\d+$/.test(text)
    ? Number(text) * 1000
    : Date.parse(text) - (Number.isNaN(sentAt) ? now : sentAt);
  return Number.isNaN(ms) ? undefined : Math.min(LONGEST_MS, Math.max(0, ms));
}
