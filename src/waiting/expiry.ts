/**
 * Owns what an lru-cache is told of its entries: how old they grow, by our clock, which never goes back and which tests can replace; and how
 * many there may be.
 */
import type { Clock } from "../observe/clock.ts";

/**
 * Options for an LRUCache whose entries are set with a `ttl` in milliseconds. By default lru-cache reads the real time, and reads it only
 * once per millisecond.
 */
export function expiringBy(clock: Clock) {
  // It takes 0 for "never": a clock that begins at 0 must not make an entry last for ever.
  return { perf: { now: () => clock.elapsed() + 1 }, ttlResolution: 0 } as const;
}

/**
 * Options for an LRUCache of at most `count` entries. With its own `max` it takes the room of all of them when it is made: some 50 bytes each,
 * for entries that most caches never hold, and some milliseconds of the start.
 */
export function mostEntries(count: number) {
  return { maxSize: count, sizeCalculation: () => 1 } as const;
}
