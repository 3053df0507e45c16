/** Owns the numbers a Fill goes by. Structurally the fill part of an upstream's Policy; bytes and milliseconds. */

export type FillPolicy = {
  /** Connections that one fill may use at once. */
  readonly lanes: number;
  /** Blobs up to this size use one lane. */
  readonly smallBlob: number;
  /** Segment of a lane that starts somewhere new. */
  readonly firstSegment: number;
  readonly largestSegment: number;
  /** Failures in a row without progress before the fill may stall (F11). */
  readonly attempts: number;
  /** A transfer that has begun is not given up before it got nothing for this long, as long as nothing says that its bytes are gone. */
  readonly outageMs: number;
  /** How long lanes go on after the last reader left (F13). */
  readonly lingerMs: number;
  /** Finish what was begun, whoever leaves. */
  readonly finish: boolean;
  /** While the origin delivers anything, every wait gets a byte within this (F17). */
  readonly starveMs: number;
  /** How long a blob of which nothing is there waits for an upstream that is known to be away; outageMs by default. */
  readonly beginMs?: number;
  /** How often in a row an origin must say that it has not, or does not give, a blob of which nothing is there; 3 by default. */
  readonly refusals?: number;
  /** The longest Retry-After that is waited for; by default what the clients of a proxy put up with. */
  readonly patienceMs?: number;
};
