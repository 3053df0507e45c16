/** Owns what a client may know of a listener of Granary. Plain data; no login is in it. */

export type OfferedListener = {
  /** What a request means here that names no registry. */
  readonly upstream: string;
  readonly port: number;
  /** Where it listens; everywhere when undefined. */
  readonly host: string | undefined;
  /** As other machines reach it, the likeliest first. */
  readonly urls: readonly [string, ...string[]];
  /** PEM text of what it shows; undefined where it speaks plain http. */
  readonly certificate: string | undefined;
  readonly wantsLogin: boolean;
};
