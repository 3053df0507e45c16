/**
 * Owns the FleetRecords port: events and traffic of all nodes of a fleet, as one of them can tell. A node that did not answer is always named: what
 * is missing is never passed over. It changes nothing.
 */
import type { TrafficQuery } from "../../metadata/traffic-rows.ts";
import type { EventKind, ToldEvent } from "../../records/event.ts";
import type { NamedSums } from "../../records/named-sums.ts";
import type { TrafficTotals } from "../../records/traffic.ts";

/** Whose records are meant: of one node, or of all. */
type Whose = { readonly node?: string | undefined };

export type FleetEventsAsk = Whose & {
  readonly kind?: EventKind | undefined;
  readonly limit: number;
  /** What was before: the `next` of an answer. */
  readonly before?: string | undefined;
  /** What came after: the `seen` of an answer, as far as it is in memory. A node that was missing then begins with what it told in the last minute. */
  readonly since?: string | undefined;
};

export type FleetTrafficAsk = Whose &
  Omit<TrafficQuery, "by"> & {
    readonly by: TrafficQuery["by"] | "node";
    /** What names must contain; nodes are all told. */
    readonly search?: string | undefined;
  };

export type MissingNode = {
  readonly node: string;
  /** A sentence. */
  readonly reason: string;
};

export type Heard = {
  /** The node that was asked. */
  readonly node: string;
  /** All that were heard of within the last hour, in the order of their names. */
  readonly nodes: readonly string[];
  /** When the database told of them (epoch ms). undefined: it never did, so there may be others. */
  readonly seenAt: number | undefined;
  /** Of those whose records are meant. */
  readonly missing: readonly MissingNode[];
};

/** Of a node of a newer version the kind may be another one. */
export type NodeEvent = Omit<ToldEvent, "kind"> & { readonly kind: string; readonly node: string };

export type FleetEvents = {
  readonly heard: Heard;
  /** Newest first; with `since` oldest first. By the clocks of their nodes. */
  readonly items: readonly NodeEvent[];
  /** Where more follows. */
  readonly next: string | undefined;
  readonly seen: string;
};

/** `nodes`: those that had a part in it; of a row that stands for a node there is no more to tell. */
export type FleetSums = NamedSums & { readonly nodes?: readonly string[] };

export type FleetTraffic = {
  readonly heard: Heard;
  /** Newest period, or most served bytes, first. Periods are by the clock of each node's machine. */
  readonly rows: readonly FleetSums[];
  readonly totals: TrafficTotals;
};

/** Each takes a second at most for the nodes, and one for the database. Throws `not-found` for a node that the fleet does not have. */
export interface FleetRecords {
  /** Throws `config-invalid` as well, for a `before` or `since` that no answer gave. */
  events(ask: FleetEventsAsk): Promise<FleetEvents>;
  traffic(ask: FleetTrafficAsk): Promise<FleetTraffic>;
}
