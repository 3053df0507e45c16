/** Owns what a slow line can be told to be like, as plain data. Nothing here does anything. */

export type LineSettings = {
  /** Bytes per second of all connections together, shared evenly by those that have something to carry. */
  readonly rate: number | undefined;
  /** What goes to the targets takes from `rate` as well; otherwise only what comes from them. */
  readonly bothWays: boolean;
  /** Bytes per second of one connection, from its target. */
  readonly ratePerConnection: number | undefined;
  /** A round trip, milliseconds: half of it each way, and a whole one more before a new connection can be used. */
  readonly delayMs: number;
  /** Connections that break once they have carried so many bytes from their target. */
  readonly cut: CutSetting | undefined;
  /** Connections that carry nothing more from then on, and stay open. */
  readonly stall: EndSetting | undefined;
  readonly limit: LimitSetting | undefined;
};

export type EndSetting = {
  /** Bytes, or the bounds between which they are drawn for each connection (both included). */
  readonly after: number | readonly [number, number];
  /** Only every n-th connection, from the n-th on; each one by default. */
  readonly every?: number;
};

/**
 * `end` looks like a server that closes in the middle; `reset`, the default, like a line that broke: it also takes what has
 * arrived and was not read yet.
 */
type CutSetting = EndSetting & { readonly by?: "reset" | "end" };

type LimitSetting = {
  readonly connections: number;
  /** Further ones are reset at once, or taken and left waiting for a place. */
  readonly beyond: "refuse" | "wait";
  /** A server counts its own connections, which is the default; a router counts all of them. */
  readonly per?: "target" | "line";
};

/** A line that is as fast as the machine. */
export const PLAIN_LINE: LineSettings = {
  rate: undefined,
  bothWays: false,
  ratePerConnection: undefined,
  delayMs: 0,
  cut: undefined,
  stall: undefined,
  limit: undefined,
};
