/** Owns how entries of an lru-cache grow old: by our clock, which never goes back and which tests can replace. */
import type { Clock } from "../observe/clock.ts";

/**
 * Options for an LRUCache whose entries are set with a `ttl` in milliseconds. By default lru-cache reads the real time, and reads it only
 * once per millisecond.
 */
export function expiringBy(clock: Clock) {
  // It takes 0 for "never": a clock that begins at 0 must not make an entry last for ever.
  return { perf: { now: () => clock.elapsed() + 1 }, ttlResolution: 0 } as const;
}
