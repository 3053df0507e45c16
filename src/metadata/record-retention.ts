/** Owns what is said to the rows files of how old records may become. Pure. */

/** What is older is deleted. Days and months are texts such as "2026-11-28" and "2026-11", of this machine's time zone. */
export type Retention = {
  /** Undefined: the clock was set a moment ago, and nothing is deleted by its date. */
  readonly before: { readonly hour: string; readonly day: string; readonly month: string } | undefined;
  /** "all": every address of a client goes. */
  readonly clients: "all" | ClientRetention;
};

/** Addresses stay that were seen from one moment to the other (epoch ms), or from one day to the other, all of them included. */
type ClientRetention = {
  readonly first: number;
  readonly last: number;
  readonly firstDay: string;
  readonly lastDay: string;
};
