/**
 * Owns what one node tells of its own events and traffic, to itself and to others, in bounded answers. It gives what the node's records give:
 * addresses of clients only where and as long as those are kept, and nothing secret, which no record has.
 */
import { addTraffic } from "../../metadata/traffic-sums.ts";
import type { ToldEvent } from "../../records/event.ts";
import { type NamedSums, withSaved } from "../../records/named-sums.ts";
import { OTHERS } from "../../records/pending-traffic.ts";
import type { Records } from "../../records/records.ts";
import type { TrafficTotals } from "../../records/traffic.ts";
import type { RecordsQuestion } from "../peers/peer-request.ts";
import { eventsAskOf, type NodeEventsAsk, type NodeTrafficAsk, trafficAskOf } from "./record-words.ts";

/** Nodes of another version tell of further kinds. */
export type AnyEvent = Omit<ToldEvent, "kind"> & { readonly kind: string };

/** `hasMore`: further ones follow that do not fit. */
export type ToldEvents = { readonly items: readonly AnyEvent[]; readonly hasMore: boolean };
export type ToldTraffic = TrafficTotals & { readonly rows: readonly NamedSums[] };

/** Characters of the events of one answer, as JSON; with what is not ASCII it stays far below what an asker reads. */
const MOST_CHARACTERS = 1_000_000;
/** All hours, days and months that are kept are fewer. */
export const MOST_ROWS = 4_000;

type AskedRecords = {
  readonly events: Pick<Records["events"], "past" | "since">;
  readonly traffic: Pick<Records["traffic"], "find" | "totals">;
};

export class OwnRecords {
  readonly #records: AskedRecords;

  constructor(records: AskedRecords) {
    this.#records = records;
  }

  /** Throws what the database throws. */
  async answer({ kind, words }: RecordsQuestion): Promise<ToldEvents | ToldTraffic> {
    return kind === "events" ? this.#events(eventsAskOf(words)) : await this.#traffic(trafficAskOf(words));
  }

  #events(ask: NodeEventsAsk): ToldEvents {
    const found = ask.since === undefined ? this.#past(ask) : this.#since(ask.since, ask);
    const items = found.slice(0, Math.min(ask.limit, fitting(found)));
    return { items, hasMore: items.length < found.length };
  }

  #past({ kind, limit, before }: NodeEventsAsk): readonly ToldEvent[] {
    const some = { ...(kind !== undefined && { kind }), ...(before !== undefined && { before }) };
    return this.#records.events.past({ ...some, limit: limit + 1 });
  }

  #since(id: number, { kind }: NodeEventsAsk): readonly ToldEvent[] {
    const { events } = this.#records;
    const newest = events.since(0).at(-1)?.id ?? 0;
    // Whose directory was thrown away counts from the beginning.
    const told = events.since(id > newest ? 0 : id);
    return told.filter((event) => kind === undefined || event.kind === kind);
  }

  async #traffic({ search, ...query }: NodeTrafficAsk): Promise<ToldTraffic> {
    const { traffic } = this.#records;
    const found = await traffic.find(query);
    const rows = found.filter(({ name }) => search === undefined || name.includes(search));
    return { ...traffic.totals(), rows: withOthers(rows) };
  }
}

/** How many of the first ones fit. */
function fitting(events: readonly ToldEvent[]): number {
  let left = MOST_CHARACTERS;
  const first = events.findIndex((event) => {
    left -= JSON.stringify(event).length;
    return left < 0;
  });
  return first === -1 ? events.length : first;
}

/** Names beyond a number are told as one for each upstream, so that the sums are right. */
function withOthers(rows: readonly NamedSums[]): readonly NamedSums[] {
  const others = new Map<string, NamedSums>();
  for (const { name, ...sums } of rows.slice(MOST_ROWS)) {
    const [upstream, ...repository] = name.split("/");
    const kept = repository.length === 0 ? OTHERS : `${upstream}/${OTHERS}`;
    const known = { ...(others.get(kept) ?? sums) };
    if (others.has(kept)) addTraffic(known, sums);
    others.set(kept, { name: kept, ...withSaved(known) });
  }
  return [...rows.slice(0, MOST_ROWS), ...others.values()];
}
