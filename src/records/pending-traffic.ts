/**
 * Owns traffic that was counted and is not written yet, by hour. It is bounded: names beyond a number for each hour become one name, and when
 * nothing can be written for many hours, the oldest of them are added up.
 */
import type { TrafficDelta, TrafficQuery, TrafficRow } from "../metadata/traffic-rows.ts";
import { addTraffic, noTraffic, type TrafficSums } from "../metadata/traffic-sums.ts";

/** In place of a repository or an address, where there are too many in one hour, or where the name may be invented. */
export const OTHERS = "(others)";

const MOST_NAMES = 1_000;
const MOST_HOURS = 48;

/** Of one hour: the repositories by "upstream\nrepository", and the clients. */
type Hour = { readonly repositories: Map<string, TrafficSums>; readonly clients: Map<string, TrafficSums> };

export class PendingTraffic {
  readonly #hours = new Map<string, Hour>();
  /** Names that have a row in the newest hour, written or not. */
  #named: { readonly hour: string; readonly names: Set<string> } = { hour: "", names: new Set() };

  add(hour: string, upstream: string, repository: string, sums: TrafficSums): void {
    const key = `${upstream}\n${repository}`;
    const kept = this.#isNamed(hour, key) ? key : `${upstream}\n${OTHERS}`;
    addTo(this.#hour(hour).repositories, kept, sums);
  }

  addClient(hour: string, client: string, sums: TrafficSums): void {
    addTo(this.#hour(hour).clients, this.#isNamed(hour, client) ? client : OTHERS, sums);
  }

  get count(): number {
    let count = 0;
    for (const { repositories, clients } of this.#hours.values()) count += repositories.size + clients.size;
    return count;
  }

  /** The oldest hour first, at most `most`. */
  first(most: number): readonly TrafficDelta[] {
    const found: TrafficDelta[] = [];
    for (const delta of this.#deltas()) {
      if (found.length >= most) break;
      found.push(delta);
    }
    return found;
  }

  /** The first `count` were written: what is added to them later is another delta. */
  written(count: number): void {
    let left = count;
    for (const [hour, { repositories, clients }] of this.#hours) {
      left = dropFirst(repositories, left);
      left = dropFirst(clients, left);
      if (repositories.size + clients.size > 0) return;
      this.#hours.delete(hour);
    }
  }

  *#deltas(): Generator<TrafficDelta> {
    for (const [hour, { repositories, clients }] of this.#hours) {
      for (const [key, sums] of repositories) yield { hour, sums, ...namesOf(key) };
      for (const [client, sums] of clients) yield { hour, sums, client };
    }
  }

  /** Takes out those of clients before this hour, or all of them. */
  forgetClients(before: string | undefined): void {
    for (const [hour, { clients }] of this.#hours) if (before === undefined || hour < before) clients.clear();
  }

  /** As TrafficRows.find, of what is not written yet. */
  find(query: TrafficQuery): TrafficRow[] {
    const found = new Map<string, TrafficSums>();
    for (const delta of this.#deltas()) {
      const name = nameIn(delta, query);
      if (name !== undefined) addTo(found, name, delta.sums);
    }
    return [...found].map(([name, sums]) => ({ name, ...sums }));
  }

  #hour(hour: string): Hour {
    const known = this.#hours.get(hour);
    if (known !== undefined) return known;
    const made: Hour = { repositories: new Map(), clients: new Map() };
    this.#hours.set(hour, made);
    if (this.#hours.size > MOST_HOURS) this.#foldOldest();
    return made;
  }

  #foldOldest(): void {
    const [[oldest, from] = [], [, into] = []] = [...this.#hours];
    if (oldest === undefined || from === undefined || into === undefined) return;
    this.#hours.delete(oldest);
    fold(from.repositories, into.repositories, (key) => `${namesOf(key).upstream}\n${OTHERS}`);
    fold(from.clients, into.clients, () => OTHERS);
  }

  #isNamed(hour: string, name: string): boolean {
    if (this.#named.hour !== hour) this.#named = { hour, names: new Set() };
    const { names } = this.#named;
    if (names.size < MOST_NAMES) names.add(name);
    return names.has(name);
  }
}

function namesOf(key: string): { readonly upstream: string; readonly repository: string } {
  const end = key.indexOf("\n");
  return { upstream: key.slice(0, end), repository: key.slice(end + 1) };
}

/** Returns how many of `count` are left to be dropped elsewhere. */
function dropFirst(sums: Map<string, TrafficSums>, count: number): number {
  let left = count;
  for (const name of sums.keys()) {
    if (left === 0) break;
    sums.delete(name);
    left -= 1;
  }
  return left;
}

function addTo(sums: Map<string, TrafficSums>, name: string, more: TrafficSums): void {
  const known = sums.get(name) ?? noTraffic();
  addTraffic(known, more);
  sums.set(name, known);
}

function fold(
  from: ReadonlyMap<string, TrafficSums>,
  into: Map<string, TrafficSums>,
  nameOfOthers: (name: string) => string,
): void {
  for (const [name, sums] of from) addTo(into, into.has(name) ? name : nameOfOthers(name), sums);
}

/** The name of the row that `delta` belongs to; undefined when it was not asked for. */
function nameIn(
  delta: TrafficDelta,
  { by, upstream, repository, since = "" }: TrafficQuery,
): string | undefined {
  const period = delta.hour.slice(0, by === "hour" ? undefined : by === "month" ? 7 : 10);
  if (period < since.slice(0, period.length)) return undefined;
  if ("client" in delta) return by === "client" ? delta.client : undefined;
  if (by === "client") return undefined;
  if (upstream !== undefined && delta.upstream !== upstream) return undefined;
  if (repository !== undefined && delta.repository !== repository) return undefined;
  if (by === "upstream") return delta.upstream;
  return by === "repository" ? `${delta.upstream}/${delta.repository}` : period;
}
