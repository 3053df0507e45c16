/**
 * Owns the questions about records that one node asks another, as the words of a PeerQuestion and back. Nodes may be of two versions: what a word
 * does not say, or says wrongly, has a value that is harmless. Pure.
 */
import type { TrafficQuery } from "../../metadata/traffic-rows.ts";
import { EVENT_KINDS, type EventKind } from "../../records/event.ts";
import type { RecordsQuestion } from "../peers/peer-request.ts";

/** Of one node. */
export type NodeEventsAsk = {
  readonly kind: EventKind | undefined;
  readonly limit: number;
  /** Only those with a smaller id, newest first. */
  readonly before: number | undefined;
  /** Only those with a larger id, oldest first, as far as they are in memory. */
  readonly since: number | undefined;
};

export type NodeTrafficAsk = TrafficQuery & {
  /** What names must contain. */
  readonly search: string | undefined;
};

type Words = RecordsQuestion["words"];

export const MOST_EVENTS = 1_000;
const GROUPS = ["day", "hour", "month", "upstream", "repository", "client"] as const;

export function eventsQuestion(ask: NodeEventsAsk): RecordsQuestion {
  return { kind: "events", words: wordsOf(ask) };
}

export function trafficQuestion(ask: NodeTrafficAsk): RecordsQuestion {
  return { kind: "traffic", words: wordsOf(ask) };
}

export function eventsAskOf({ kind, limit, before, since }: Words): NodeEventsAsk {
  return {
    kind: EVENT_KINDS.find((known) => known === kind),
    limit: Math.min(MOST_EVENTS, numberOf(limit) ?? MOST_EVENTS),
    before: numberOf(before),
    since: numberOf(since),
  };
}

export function trafficAskOf({ by, since, upstream, repository, search }: Words): NodeTrafficAsk {
  return { by: GROUPS.find((known) => known === by) ?? "day", since, upstream, repository, search };
}

function wordsOf(ask: Readonly<Record<string, string | number | undefined>>): Words {
  const said = Object.entries(ask).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said.map(([name, value]) => [name, String(value)]));
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined;
}
