/** Owns the numbers that a Fill goes by, in bytes and milliseconds. An upstream's Policy has all of them that are not optional. */

export type FillPolicy = {
  /** Connections that one fill may use at once. */
  readonly lanes: number;
  /** Blobs up to this size use one lane. */
  readonly smallBlob: number;
  /** First segment of a lane that starts at a new place. */
  readonly firstSegment: number;
  readonly largestSegment: number;
  /** Failures in a row without progress before the fill may stall (F11). */
  readonly attempts: number;
  /** A transfer that has begun is given up only after it got nothing for this long, unless the upstream says that the blob is gone. */
  readonly outageMs: number;
  /** How long lanes go on after the last reader left (F13). */
  readonly lingerMs: number;
  /** Finish a blob that was begun, even if all readers leave. */
  readonly finish: boolean;
  /** While the origin delivers anything, every waiting reader gets a byte within this time (F17). */
  readonly starveMs: number;
  /** How long a blob without any bytes yet waits for an upstream that is known to be unreachable; outageMs by default. */
  readonly beginMs?: number;
  /** How often in a row an origin must refuse a blob without any bytes yet before it is given up; 3 by default. */
  readonly refusals?: number;
  /** The longest Retry-After that is waited for; by default as long as the clients of a proxy usually wait. */
  readonly patienceMs?: number;
};
