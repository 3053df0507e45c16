/** Owns the reading of `Retry-After` (RFC 9110, 10.2.3): seconds or an HTTP date. Pure. */

/** No upstream may silence us for longer than Docker Hub's own window. */
const LONGEST_MS = 6 * 3600_000;

/** Milliseconds from `now` (epoch ms); undefined when the header is absent or unreadable. */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.min(LONGEST_MS, Math.max(0, ms));
}
