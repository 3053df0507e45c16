/**
 * Owns which client asks each upstream now. Settings can replace it while pulls are in flight: those go on with the client that they began
 * with, and it is closed when nobody uses it any more. It asks no upstream itself.
 */
import type { Clock, Timer } from "../observe/clock.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";

/** A client that answers a request. */
export type HeldClient = {
  readonly client: UpstreamClient;
  /** The request, and what was given out for it, is over. To be called once for each `hold`. */
  readonly release: () => void;
};

type Entry = HeldClient & {
  /** As it was given. `client` is the same, with its questions counted. */
  readonly source: UpstreamClient;
  /** Requests that hold it, and its own questions that are under way. */
  users: number;
};

/** How often it is looked whether clients that were replaced are still in use. */
const LOOK_MS = 1_000;

export class CurrentUpstreams {
  readonly #clock: Clock;
  #transfers: (upstream: string) => Promise<unknown> = async () => undefined;
  #current: ReadonlyMap<string, Entry>;
  readonly #retired = new Set<Entry>();
  /** Retired, held by no request any more, and perhaps still used by transfers. */
  readonly #leaving = new Set<Entry>();
  #look: Timer | undefined;

  constructor(clients: readonly UpstreamClient[], clock: Clock) {
    this.#clock = clock;
    this.#current = entriesOf(clients, new Map());
  }

  /** `transfers` resolves when the transfers from an upstream that run now are over: they use its client too. */
  waitFor(transfers: (upstream: string) => Promise<unknown>): void {
    this.#transfers = transfers;
  }

  get clients(): readonly UpstreamClient[] {
    return [...this.#current.values()].map(({ client }) => client);
  }

  /** False where there is no such upstream, or it is known that it does not answer now. */
  answers(upstream: string): boolean {
    return this.#current.get(upstream)?.client.status().circuit === "closed";
  }

  /** For who asks it nothing after this tick; undefined when there is no such upstream. */
  now(upstream: string): UpstreamClient | undefined {
    return this.#current.get(upstream)?.client;
  }

  /** undefined when there is no such upstream. */
  hold(upstream: string): HeldClient | undefined {
    const entry = this.#current.get(upstream);
    if (entry !== undefined) entry.users += 1;
    return entry;
  }

  /** All upstreams that there are from now on; clients that were there before go on. */
  replace(clients: readonly UpstreamClient[]): void {
    const before = this.#current;
    this.#current = entriesOf(clients, before);
    const kept = new Set(this.#current.values());
    for (const entry of before.values()) if (!kept.has(entry)) this.#retired.add(entry);
    this.#lookLater();
  }

  /** Closes all of them, whoever uses them. */
  async close(): Promise<void> {
    this.#look?.cancel();
    const all = [...this.#current.values(), ...this.#retired, ...this.#leaving];
    await Promise.allSettled(all.map(({ client }) => client.close()));
  }

  #lookLater(): void {
    if (this.#retired.size === 0) return;
    this.#look ??= this.#clock.after(LOOK_MS, () => {
      this.#look = undefined;
      for (const entry of this.#retired) if (entry.users === 0) void this.#end(entry);
      this.#lookLater();
    });
  }

  /** No request of it can begin a transfer any more, so those that run now are all that may need it. */
  async #end(entry: Entry): Promise<void> {
    this.#retired.delete(entry);
    this.#leaving.add(entry);
    await this.#transfers(entry.client.upstream.name);
    await entry.client.close().catch(() => undefined);
    this.#leaving.delete(entry);
  }
}

/** The entries of clients that are known already stay as they are. */
function entriesOf(
  clients: readonly UpstreamClient[],
  known: ReadonlyMap<string, Entry>,
): ReadonlyMap<string, Entry> {
  return new Map(
    clients.map((client) => {
      const before = known.get(client.upstream.name);
      return [client.upstream.name, before?.source === client ? before : new Counted(client)];
    }),
  );
}

/** A client with its questions counted: some go on after the request that caused them. */
class Counted implements Entry {
  readonly source: UpstreamClient;
  readonly client: UpstreamClient;
  users = 0;
  readonly release = (): void => {
    this.users -= 1;
  };

  constructor(source: UpstreamClient) {
    this.source = source;
    this.client = {
      ...source,
      headManifest: (ask) => this.#during(source.headManifest(ask)),
      getManifest: (ask) => this.#during(source.getManifest(ask)),
      headBlob: (...asked) => this.#during(source.headBlob(...asked)),
      measureBlob: (...asked) => this.#during(source.measureBlob(...asked)),
      tags: (...asked) => this.#during(source.tags(...asked)),
      referrers: (...asked) => this.#during(source.referrers(...asked)),
      viewAnonymously: (ask) => this.#during(source.viewAnonymously(ask)),
      confirmReading: (...asked) => this.#during(source.confirmReading(...asked)),
    };
  }

  async #during<T>(question: Promise<T>): Promise<T> {
    this.users += 1;
    try {
      return await question;
    } finally {
      this.users -= 1;
    }
  }
}
