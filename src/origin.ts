/**
 * Owns the Origin port: anything that can open a ByteRange of one blob. The Fill engine reaches the network
 * through this and nothing else. It never retries on its own account: that decision is the Fill's.
 */
import type { ByteRange } from "./bytes/byte-range.ts";
import type { Purpose } from "./purpose.ts";

/** What an origin really serves for one ask. The asked range and the answered range are different facts. */
export type OpenedRange = {
  /**
   * The bytes that `body` will carry. Starts exactly where asked unless `rangeBlind`, and may end early (a server
   * may clip), never late.
   */
  readonly range: ByteRange;
  /** Total size of the blob as this origin states it, bytes; undefined when it does not say. */
  readonly size: number | undefined;
  /** True when the origin answered 200 to a ranged ask: `range` is then `[0, size)` (F15). */
  readonly rangeBlind: boolean;
  /**
   * The bytes, to be read once; each chunk is the reader's own, who may take its memory back. Throws `upstream-unavailable` when the connection breaks, stalls or ends short.
   * Leaving a begun iteration early (`return()`) closes the connection.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** True while bytes of `body` have come and wait to be taken: they are lost if it is left now. */
  hasArrived?(): boolean;
  /**
   * Closes the connection of an answer whose body nobody will read. Idempotent. It exists because `return()` on an async
   * generator that was never started runs none of its code.
   */
  dismiss(): void;
};

/** What has been learned of the connections that a host gives. */
export type Crowd = {
  /** Connections that it was seen to give at once, at least 1. */
  readonly most: number;
  /** Requests of ours that wait for one. */
  readonly queued: number;
};

/** What a limit of bandwidth leaves. */
export type Allowance = {
  readonly bytesPerMs: number;
  /** Requests of all transfers under such limits that wait for their turn. */
  readonly waiting: number;
};

/** What an answer is wanted for at this moment. Live: while a request waits for its turn, somebody may begin to wait for its bytes. */
export type WantedFor = { readonly purpose: Purpose };

export interface Origin {
  /** For logs and strikes: upstream and repository, never a URL. Two origins with one name are the same. */
  readonly name: string;

  /**
   * Opens `range` of the blob; one without an end (infinite) is answered with the whole, from byte 0. `signal` ends the request and its body; only the Fill owns it (F5).
   * Where requests have to wait for each other, the most urgent go first; without `wantedFor` a client waits.
   *
   * Throws `not-found` (the blob is not there), `unauthorized`, `denied`, `rate-limited` (with retryAfterMs),
   * `range-unsatisfiable`, `upstream-unavailable` (worth another try), `upstream-protocol` (wrong Content-Range,
   * changed total, encoded body: this answer cannot be used), `aborted`.
   *
   * An expired signed redirect is resolved again inside the call, not failed.
   */
  open(range: ByteRange, signal: AbortSignal, wantedFor?: WantedFor): Promise<OpenedRange>;

  /** undefined while the host has given every connection that was asked for. */
  readonly crowd?: Crowd | undefined;

  /** undefined while no limit of bandwidth holds. */
  readonly allowance?: Allowance | undefined;

  /** True while what was opened for `wantedFor`, or is to be, waits for our own limits: that nothing comes shows nothing of the line. */
  holds?(wantedFor: WantedFor): boolean;

  /**
   * The bytes were wrong. True where some of them came from elsewhere than the origin itself (a fleet's bucket, another of its nodes): from
   * there none are taken any more, so that asking again gives other bytes.
   */
  doubt?(): boolean;

  /** Reports that this origin delivered bytes with a wrong digest: its endpoint goes behind the others. */
  strike(): void;
}
