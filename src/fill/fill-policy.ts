/** Owns the numbers a Fill goes by. Structurally the fill part of an upstream's Policy; bytes and milliseconds. */

export type FillPolicy = {
  /** Connections that one fill may use at once. */
  readonly lanes: number;
  /** Blobs up to this size use one lane. */
  readonly smallBlob: number;
  /** Segment of a lane that starts somewhere new. */
  readonly firstSegment: number;
  readonly largestSegment: number;
  /** Failures in a row without progress before the fill stalls (F11). */
  readonly attempts: number;
  /** How long lanes go on after the last reader left (F13). */
  readonly lingerMs: number;
  /** Finish what was begun, whoever leaves. */
  readonly finish: boolean;
  /** While the origin delivers anything, every wait gets a byte within this (F17). */
  readonly starveMs: number;
  /** The longest Retry-After that is waited for; by default what the clients of a proxy put up with. */
  readonly patienceMs?: number;
};
