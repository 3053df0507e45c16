/**
 * Owns the shape of a result: one row of the table, with what was wanted of Granary and whether it was reached.
 * Plain data, so that --json and the table print the same thing.
 */

/** The columns of the table of warm answers, in order; `2` and `3` are versions of the official registry. */
export const SERVERS = [
  "granary",
  "nginx",
  "bare",
  "registry2",
  "registry3",
  "zot",
  "proxy2",
  "proxy3",
] as const;
/** The columns of the table of cold answers. `direct` is curl, or one connection straight to the upstream. */
export const CACHES = ["granary", "proxy2", "proxy3", "direct", "curlHash"] as const;
/** The columns of the table of a small machine. */
export const SMALL_MACHINES = ["granary", "proxy2", "proxy3"] as const;
/** The columns of the table of extraction. */
export const EXTRACTORS = ["granary", "umoci", "tar"] as const;
/** The columns of the table of slow lines: `line` is one plain reader with as many connections as are of use. */
export const LINE_USERS = ["granary", "line"] as const;
/** The columns of the table of the proxy: both end TLS. */
export const TLS_SERVERS = ["granary", "nginxTls"] as const;
/** The column of the table of large stores, which has no others beside it. */
export const ALONE = ["granary"] as const;
/** The columns of the table of blocks: on a machine that stands still everybody does. */
export const BESIDE_IDLE = ["granary", "idle"] as const;
/** The columns of the table of growth: how many blobs a store has. */
export const STORE_SIZES = ["thousand", "tenThousand", "hundredThousand", "million"] as const;
/** The columns of the table of fleets: one node without a fleet, and fleets of so many. */
export const FLEETS = ["granary", "fleet1", "fleet3", "fleet10"] as const;
export type ContenderName =
  | (typeof FLEETS)[number]
  | (typeof STORE_SIZES)[number]
  | (typeof SERVERS)[number]
  | (typeof TLS_SERVERS)[number]
  | (typeof CACHES)[number]
  | (typeof EXTRACTORS)[number]
  | (typeof LINE_USERS)[number]
  | (typeof BESIDE_IDLE)[number];

export type Unit =
  | "GB/s"
  | "MB/s"
  | "requests/s"
  | "MB"
  | "MiB fetched"
  | "queries"
  | "requests"
  | "s"
  | "ms"
  | "x"
  | "killed";

/** One thing that Granary has to reach. `value` is undefined when a contender it needs was missing or failed. */
export type Check = {
  readonly wanted: string;
  readonly value: number | undefined;
  readonly valueUnit: Unit;
  readonly reached: boolean | undefined;
};

export type Row = {
  readonly name: string;
  readonly unit: Unit;
  /** Whose table it stands in; the cold one's by default. */
  readonly contenders?: readonly ContenderName[];
  readonly values: Partial<Record<ContenderName, number>>;
  /** Of rows about throughput: seconds of the processor that a server's processes used for each GiB. */
  readonly processor?: Partial<Record<ContenderName, number>>;
  readonly checks: readonly Check[];
};

/** Granary's value must be at least `factor` times the other's. */
export function atLeastTimes(
  values: Partial<Record<ContenderName, number>>,
  other: ContenderName,
  factor: number,
  label: string = other,
): Check {
  const [mine, theirs] = [values.granary, values[other]];
  const value = mine === undefined || !theirs ? undefined : mine / theirs;
  return {
    wanted: `>= ${factor}x ${label}`,
    value,
    valueUnit: "x",
    reached: value === undefined ? undefined : value >= factor,
  };
}

/** Granary's value must be at most `factor` times the other's. */
export function atMostTimes(
  values: Partial<Record<ContenderName, number>>,
  other: ContenderName,
  factor: number,
): Check {
  const { value, ...rest } = atLeastTimes(values, other, factor);
  const reached = value === undefined ? undefined : value <= factor;
  return { ...rest, value, wanted: `<= ${factor}x ${other}`, reached };
}

export function atLeast(value: number | undefined, least: number, unit: Unit): Check {
  return {
    wanted: `>= ${least.toLocaleString("en")} ${unit}`,
    value,
    valueUnit: unit,
    reached: value === undefined ? undefined : value >= least,
  };
}

export function atMost(value: number | undefined, most: number, unit: Unit): Check {
  return {
    wanted: `<= ${most.toLocaleString("en")} ${unit}`,
    value,
    valueUnit: unit,
    reached: value === undefined ? undefined : value <= most,
  };
}
