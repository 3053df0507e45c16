/** Owns what one node tells of the events and the traffic of its whole fleet: asked of each node when a person asks, and kept nowhere. */
import type { Clock } from "../../observe/clock.ts";
import { type AskedParts, askNodes } from "./asked-nodes.ts";
import type {
  FleetEvents,
  FleetEventsAsk,
  FleetRecords,
  FleetTraffic,
  FleetTrafficAsk,
  Places,
} from "./fleet-records.ts";
import { laterOf, pastOf } from "./merge-events.ts";
import { rowsOf, totalsOf } from "./merge-traffic.ts";
import type { ToldEvents } from "./own-records.ts";
import { eventsQuestion, trafficQuestion } from "./record-words.ts";
import { toldEvents, toldTraffic } from "./told-records.ts";

/** What a node told before that is no news of it when it is back. */
const NEWS_MS = 60_000;

export class SeenRecords implements FleetRecords {
  readonly #parts: AskedParts & { readonly clock: Clock };

  constructor(parts: AskedParts & { readonly clock: Clock }) {
    this.#parts = parts;
  }

  async events({ node, kind, limit, before, since }: FleetEventsAsk): Promise<FleetEvents> {
    const question = (name: string) => ({
      ...{ kind, limit, before: before?.get(name) },
      since: since && (since.get(name) ?? 0),
    });
    const { heard, all } = await askNodes(this.#parts, {
      node,
      of: (name) => eventsQuestion(question(name)),
      read: toldEvents,
    });
    if (since === undefined) return { heard, ...pastOf(all, limit, before ?? new Map()) };
    const news = all.map(({ node: from, told }) => ({ node: from, told: this.#news(from, told, since) }));
    return { heard, ...laterOf(news, limit, since) };
  }

  async traffic({ node, by, search, ...query }: FleetTrafficAsk): Promise<FleetTraffic> {
    // Of a node all upstreams are added up, whatever they are called.
    const asked = by === "node" ? { by: "upstream" as const, search: undefined } : { by, search };
    const question = trafficQuestion({ ...query, ...asked });
    const { heard, all } = await askNodes(this.#parts, { node, of: () => question, read: toldTraffic });
    return { heard, rows: rowsOf(all, by), totals: totalsOf(all) };
  }

  #news(node: string, told: ToldEvents, since: Places): ToldEvents {
    if (since.has(node)) return told;
    const from = this.#parts.clock.now() - NEWS_MS;
    return { ...told, items: told.items.filter(({ at }) => at >= from) };
  }
}
