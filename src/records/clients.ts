/**
 * Owns which clients have asked for something since this process began: from where, as what they call themselves, when first and when last, and
 * how it went. Every request counts, also one that is refused. It is in memory alone, and bounded: who was away longest is forgotten first.
 */
import { LRUCache } from "lru-cache";
import type { Clock } from "../observe/clock.ts";
import { mostEntries } from "../waiting/expiry.ts";
import { agentOf } from "./agent.ts";
import { cut } from "./event.ts";

/** One program on one machine, as far as that can be told. Whoever answers its requests adds to it. */
export type SeenClient = {
  /** A plain address. */
  readonly client: string;
  /** One of a closed list. */
  readonly agent: string;
  /** Epoch ms. */
  readonly firstAt: number;
  lastAt: number;
  requests: number;
  /** Body bytes sent to it. */
  served: number;
  /** How its last request that is over went: as in the metrics, "hit" or "refused". */
  outcome: string | undefined;
  /** Why that one was not answered. */
  reason: string | undefined;
  /** The upstream that it asked for last, where that is known. */
  upstream: string | undefined;
};

/** As it may be shown. */
export type ShownClient = Omit<SeenClient, "client"> & {
  /** Undefined where addresses are not kept. */
  readonly client: string | undefined;
  /** Pulls of it that go on. */
  readonly pulls: number;
};

/** A pull as this needs it. */
type RunningPull = { readonly client: string; readonly agent: string };

const REMEMBERED = 2_000;
const MOST_REASON = 200;
const WITHOUT_ADDRESS = "";

export type ClientParts = {
  readonly clock: Clock;
  readonly keepsClients: () => boolean;
  /** For how long addresses may be shown after the last request, ms. */
  readonly keptMs: () => number;
  readonly running: () => readonly RunningPull[];
};

export class Clients {
  readonly #parts: ClientParts;
  /** By address and kind. */
  readonly #seen = new LRUCache<string, SeenClient>(mostEntries(REMEMBERED));
  /** By address: what said last who it is. */
  readonly #named = new LRUCache<string, SeenClient>(mostEntries(REMEMBERED));

  constructor(parts: ClientParts) {
    this.#parts = parts;
  }

  /** A request came in. */
  asks(client: string | undefined, userAgent: string | undefined): SeenClient {
    const address = client ?? WITHOUT_ADDRESS;
    const agent = agentOf(userAgent);
    // Ollama asks for the parts of a blob under a name that says nothing (docs/protocol.md#ollama-parts).
    const named = agent.isVague ? this.#named.get(address) : undefined;
    const seen = named ?? this.#find(address, agent.kind);
    if (!agent.isVague) this.#named.set(address, seen);
    seen.lastAt = this.#parts.clock.now();
    seen.requests += 1;
    return seen;
  }

  /** Those that asked last come first. */
  get all(): ShownClient[] {
    const { clock, keptMs, keepsClients, running } = this.#parts;
    const pulls = new Map<string, number>();
    for (const { client, agent } of running()) {
      const key = keyOf(client, agent);
      pulls.set(key, (pulls.get(key) ?? 0) + 1);
    }
    const isKept = keepsClients();
    // Where no addresses are kept, nothing is said of the past of any either.
    const since = clock.now() - (isKept ? keptMs() : NAMELESS_MS);
    return [...this.#seen.values()]
      .filter(({ lastAt }) => lastAt >= since)
      .map((seen) => ({
        ...seen,
        client: isKept && seen.client !== WITHOUT_ADDRESS ? seen.client : undefined,
        pulls: pulls.get(keyOf(seen.client, seen.agent)) ?? 0,
      }))
      .sort((a, b) => b.lastAt - a.lastAt);
  }

  #find(client: string, agent: string): SeenClient {
    const key = keyOf(client, agent);
    const known = this.#seen.get(key);
    if (known !== undefined) return known;
    const now = this.#parts.clock.now();
    const made: SeenClient = {
      ...{ client, agent, firstAt: now, lastAt: now, requests: 0, served: 0 },
      ...{ outcome: undefined, reason: undefined, upstream: undefined },
    };
    this.#seen.set(key, made);
    return made;
  }
}

/** A request of it is over. `outcome` as in the metrics; `reason` says why it was not answered. */
export function wasAnswered(
  seen: SeenClient,
  end: {
    readonly outcome: string;
    readonly upstream: string | undefined;
    readonly reason: string | undefined;
  },
): void {
  seen.outcome = end.outcome;
  seen.upstream = end.upstream ?? seen.upstream;
  seen.reason = end.reason === undefined ? undefined : cut(end.reason, MOST_REASON);
}

const NAMELESS_MS = 3_600_000;

/** The most that is told at once: those that came in first most recently, and those that asked last. */
export function fewOf(clients: readonly ShownClient[], most: number): readonly ShownClient[] {
  if (clients.length <= most) return clients;
  const newest = [...clients].sort((a, b) => b.firstAt - a.firstAt).slice(0, Math.ceil(most / 4));
  const shown = new Set(newest);
  for (const client of clients) if (shown.size < most) shown.add(client);
  return clients.filter((client) => shown.has(client));
}

function keyOf(client: string, agent: string): string {
  return `${client}\n${agent}`;
}
