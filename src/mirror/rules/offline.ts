/**
 * Owns which upstreams a person has set offline, also over a restart: stored content is served whatever its age, and nothing is asked. It
 * tells the clients of the upstreams, which refuse; transfers that run are kept and go on when the upstream is set back.
 */
import { GranaryError } from "../../errors.ts";
import type { RuleRows } from "../../metadata/rule-rows.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Events } from "../../records/events.ts";
import type { UpstreamClient } from "../../upstream/upstream-client.ts";

export type OfflineUpstream = {
  readonly upstream: string;
  /** Epoch ms. */
  readonly since: number;
};

export type OfflineParts = {
  readonly rows: RuleRows;
  readonly clock: Clock;
  readonly events: Pick<Events, "tell">;
  /** Those that there are now. */
  readonly clients: () => readonly UpstreamClient[];
};

const KIND = "offline";

export class Offline {
  readonly #parts: OfflineParts;
  /** By name of the upstream: since when. An upstream that is not configured now may come back. */
  readonly #since = new Map<string, number>();
  #changed = () => {};

  constructor(parts: OfflineParts) {
    this.#parts = parts;
  }

  /** `listener` is called whenever an upstream was set offline or back. */
  onChange(listener: () => void): void {
    this.#changed = listener;
  }

  /** What was set before this process began. Throws `store-damaged`. */
  async open(): Promise<void> {
    for (const { pattern, madeAt } of await this.#parts.rows.of(KIND)) this.#since.set(pattern, madeAt);
    this.apply(this.#parts.clients());
  }

  /** Somebody else has set upstreams offline or back. */
  async reread(): Promise<void> {
    const rules = await this.#parts.rows.of(KIND);
    this.#since.clear();
    for (const { pattern, madeAt } of rules) this.#since.set(pattern, madeAt);
    this.apply(this.#parts.clients());
    this.#changed();
  }

  /** `clients` are those of the upstreams from now on. */
  apply(clients: readonly UpstreamClient[]): void {
    for (const client of clients) client.setOffline(this.#since.get(client.upstream.name));
  }

  has(upstream: string): boolean {
    return this.#since.has(upstream);
  }

  list(): readonly OfflineUpstream[] {
    return [...this.#since].map(([upstream, since]) => ({ upstream, since }));
  }

  /**
   * Sets `upstream` offline or back, all of them where none is named; the names of those for which that changes something. `isTrial`: only
   * says which. Throws `route-unknown`, and what kept it from being remembered: then nothing is changed.
   */
  async set(isOffline: boolean, upstream: string | undefined, isTrial: boolean): Promise<readonly string[]> {
    const known = isOffline || upstream !== undefined ? this.#named(upstream) : [...this.#since.keys()];
    const changing = known.filter((name) => this.#since.has(name) !== isOffline);
    if (isTrial) return changing;
    for (const name of changing) await this.#setOne(name, isOffline);
    if (changing.length > 0) this.#changed();
    return changing;
  }

  async #setOne(name: string, isOffline: boolean): Promise<void> {
    const { rows, clock, events, clients } = this.#parts;
    const madeAt = clock.now();
    if (isOffline) await rows.record({ kind: KIND, pattern: name, detail: undefined, madeAt });
    else await rows.forget(KIND, name);
    if (isOffline) this.#since.set(name, madeAt);
    else this.#since.delete(name);
    this.apply(clients().filter(({ upstream }) => upstream.name === name));
    const text = isOffline ? `${name} is set offline: nothing is asked of it` : `${name} is asked again`;
    events.tell(isOffline ? "upstream-offline" : "upstream-online", text, { upstream: name });
  }

  #named(wanted: string | undefined): readonly string[] {
    const upstreams = this.#parts.clients().map((client) => client.upstream);
    if (wanted === undefined) return upstreams.map(({ name }) => name);
    const found = upstreams.find(({ name, aliases }) => name === wanted || aliases.includes(wanted))?.name;
    if (found !== undefined) return [found];
    if (this.#since.has(wanted)) return [wanted];
    const names = upstreams.map(({ name }) => name).join(", ");
    throw new GranaryError("route-unknown", `No upstream is called "${wanted}". There are: ${names}.`);
  }
}
