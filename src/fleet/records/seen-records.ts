/** Owns what one node tells of the events and the traffic of its whole fleet: asked of each node when a person asks, and kept nowhere. */
import type { Clock } from "../../observe/clock.ts";
import { type AskedParts, askNodes } from "./asked-nodes.ts";
import type {
  FleetEvents,
  FleetEventsAsk,
  FleetRecords,
  FleetTraffic,
  FleetTrafficAsk,
} from "./fleet-records.ts";
import { laterOf, type NodeTold, pastOf } from "./merge-events.ts";
import { rowsOf, totalsOf } from "./merge-traffic.ts";
import type { ToldEvents } from "./own-records.ts";
import { formatPlaces, type Places, parsePlaces } from "./places.ts";
import { eventsQuestion, trafficQuestion } from "./record-words.ts";
import { toldEvents, toldTraffic } from "./told-records.ts";

/** What a node told before that is no news of it when it is back. */
const NEWS_MS = 60_000;

export class SeenRecords implements FleetRecords {
  readonly #parts: AskedParts & { readonly clock: Clock };

  constructor(parts: AskedParts & { readonly clock: Clock }) {
    this.#parts = parts;
  }

  async events({ node, kind, limit, ...places }: FleetEventsAsk): Promise<FleetEvents> {
    const before = parsePlaces(places.before, "after");
    const since = places.since === undefined ? undefined : parsePlaces(places.since, "since");
    const question = (name: string) =>
      eventsQuestion({ kind, limit, before: before.get(name), since: since && (since.get(name) ?? 0) });
    const { heard, all } = await askNodes(this.#parts, { node, of: question, read: toldEvents });
    const merged =
      since === undefined ? pastOf(all, limit, before) : laterOf(this.#news(all, since), limit, since);
    const { items, next, seen } = merged;
    return { heard, items, next: next && formatPlaces(next), seen: formatPlaces(seen) };
  }

  async traffic({ node, by, search, ...query }: FleetTrafficAsk): Promise<FleetTraffic> {
    // Of a node all upstreams are added up, whatever they are called.
    const asked = by === "node" ? { by: "upstream" as const, search: undefined } : { by, search };
    const question = trafficQuestion({ ...query, ...asked });
    const { heard, all } = await askNodes(this.#parts, { node, of: () => question, read: toldTraffic });
    return { heard, rows: rowsOf(all, by), totals: totalsOf(all) };
  }

  #news(all: readonly NodeTold<ToldEvents>[], since: Places): readonly NodeTold<ToldEvents>[] {
    const from = this.#parts.clock.now() - NEWS_MS;
    return all.map(({ node, told }) => {
      const items = since.has(node) ? told.items : told.items.filter(({ at }) => at >= from);
      return { node, told: { ...told, items } };
    });
  }
}
