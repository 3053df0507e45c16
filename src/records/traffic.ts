/**
 * Owns Traffic: bytes to clients and from upstreams, pulls, hits and misses, by hour, upstream and repository, and by day and client. What a
 * request does is to add to numbers in memory; record-writer.ts takes them from here every few seconds. It never writes itself.
 */
import type { RecordRows } from "../metadata/record-rows.ts";
import type { TrafficDelta, TrafficQuery, TrafficRow } from "../metadata/traffic-rows.ts";
import { addTraffic, isNoTraffic, noTraffic, type TrafficSums } from "../metadata/traffic-sums.ts";
import type { Clock } from "../observe/clock.ts";
import { Slices } from "../waiting/slices.ts";
import { dayBefore, dayOf, hourOf, type PeriodUnit, periodsUntil } from "./local-time.ts";
import { inOrder, type NamedSums, type SavedSums, withSaved } from "./named-sums.ts";
import { OTHERS, PendingTraffic } from "./pending-traffic.ts";
import { type MinuteSums, RecentMinutes } from "./recent-minutes.ts";

/** Numbers to add to. Whoever takes one gives it back by `letGo`; until then it is not forgotten. */
export type TrafficCell = { readonly sums: TrafficSums; holders: number };

export type TrafficTotals = {
  readonly today: SavedSums;
  readonly all: SavedSums & {
    /** The day of the first number ("2026-11-28"); undefined when there is none yet. */
    readonly since: string | undefined;
  };
};

type RepositoryCell = TrafficCell & { readonly upstream: string; readonly repository: string };
type Day = { readonly name: string; readonly sums: TrafficSums };

export type TrafficParts = {
  readonly clock: Clock;
  /** Without them nothing is kept over a restart. */
  readonly rows: Pick<RecordRows, "traffic" | "total"> | undefined;
  readonly keepsClients: () => boolean;
  /** Called when there are numbers again that are not written. */
  readonly onChange: () => void;
};

export class Traffic {
  readonly #parts: TrafficParts;
  readonly #cells = new Map<string, RepositoryCell>();
  readonly #clients = new Map<string, TrafficCell>();
  readonly #pending = new PendingTraffic();
  readonly #minutes = new RecentMinutes();
  /** Of all time, without what the cells have now. */
  readonly #all: TrafficSums = noTraffic();
  #since: string | undefined;
  #today: Day;

  /** Throws what the database throws. */
  constructor(parts: TrafficParts) {
    this.#parts = parts;
    const { clock, rows } = parts;
    const name = dayOf(clock.now());
    this.#today = { name, sums: noTraffic() };
    if (rows === undefined) return;
    const { since, sums } = rows.total();
    this.#since = since;
    addTraffic(this.#all, sums);
    for (const page of rows.traffic({ by: "day", since: name }))
      for (const row of page) if (row.name === name) addTraffic(this.#today.sums, row);
  }

  /** The numbers of one repository. `repository` must be one that exists, not one that a client only asked for; without one: the others. */
  take(upstream: string, repository = OTHERS): TrafficCell {
    const key = `${upstream}\n${repository}`;
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = { upstream, repository, sums: noTraffic(), holders: 0 };
      this.#cells.set(key, cell);
    }
    cell.holders += 1;
    this.#parts.onChange();
    return cell;
  }

  /** The numbers of one client; undefined where addresses are not kept. */
  takeClient(client: string | undefined): TrafficCell | undefined {
    if (client === undefined || !this.#parts.keepsClients()) return undefined;
    let cell = this.#clients.get(client);
    if (cell === undefined) {
      cell = { sums: noTraffic(), holders: 0 };
      this.#clients.set(client, cell);
    }
    cell.holders += 1;
    return cell;
  }

  letGo(cell: TrafficCell): void {
    cell.holders -= 1;
  }

  /** Body bytes that came from an upstream for `repository`, as they come. */
  fetched(upstream: string, repository: string, bytes: number): void {
    const cell = this.take(upstream, repository);
    cell.sums.fetched += bytes;
    this.letGo(cell);
  }

  /** A pull of something that exists began. */
  pulled(pull: { readonly upstream: string; readonly repository: string; readonly client: string }): void {
    for (const cell of [this.take(pull.upstream, pull.repository), this.takeClient(pull.client)]) {
      if (cell === undefined) continue;
      cell.sums.pulls += 1;
      this.letGo(cell);
    }
  }

  /** Today's, and those of all time. Cheap: nothing is read. */
  totals(): TrafficTotals {
    this.collect();
    return { today: withSaved(this.#today.sums), all: { ...withSaved(this.#all), since: this.#since } };
  }

  /** The minutes of the last hour that had traffic, the oldest first. Cheap: nothing is read. */
  minutes(): readonly MinuteSums[] {
    this.collect();
    return this.#minutes.since(this.#parts.clock.now());
  }

  /** The first of the last so many days, as it is named here; today is one of them. */
  firstOfLast(days: number): string {
    return dayBefore(this.#parts.clock.now(), days - 1);
  }

  /** `found` with the periods that had no traffic, back to the day `since`; newest first, at most `most` of them. */
  withEmpty<Sums extends NamedSums>(
    found: readonly Sums[],
    unit: PeriodUnit,
    since: string | undefined,
    most: number,
  ): (Sums | NamedSums)[] {
    const now = this.#parts.clock.now();
    const known = new Map(found.map((item) => [item.name, item]));
    const names = periodsUntil(now, unit, since ?? this.#since ?? dayOf(now), most);
    return names.map((name) => known.get(name) ?? { name, ...withSaved(noTraffic()) });
  }

  /**
   * Newest period, or most served bytes, first. Others have their turn while it reads; what is written meanwhile may be missing until it is
   * asked again, and nothing counts twice. Throws what the database throws.
   */
  async find(query: TrafficQuery): Promise<NamedSums[]> {
    // Rows that could not be deleted yet are nobody's to see.
    if (query.by === "client" && !this.#parts.keepsClients()) return [];
    const found = new Map<string, TrafficSums>();
    const slices = new Slices(this.#parts.clock);
    for (const page of this.#parts.rows?.traffic(query) ?? []) {
      addRows(found, page);
      await slices.breathe();
    }
    this.collect();
    addRows(found, this.#pending.find(query));
    const rows: TrafficRow[] = [...found].map(([name, sums]) => ({ name, ...sums }));
    return inOrder(rows, query.by).map(({ name, ...sums }) => ({ name, ...withSaved(sums) }));
  }

  /** How many sums are to be written, as of the last `collect`. */
  get waiting(): number {
    return this.#pending.count;
  }

  /** What is to be written, at most `most`, as of the last `collect`. */
  unwritten(most: number): readonly TrafficDelta[] {
    return this.#pending.first(most);
  }

  /** The first `count` that `unwritten` gave in this turn were written, or can never be. */
  written(count: number): void {
    this.#pending.written(count);
  }

  /** Takes out what clients had before the hour of `before` (epoch ms), and is not written. */
  forgetClients(before: number): void {
    this.#pending.forgetClients(before === Number.POSITIVE_INFINITY ? undefined : hourOf(before));
  }

  /** Moves the numbers of the cells to those of this hour. */
  collect(): void {
    const now = this.#parts.clock.now();
    const [hour, day] = [hourOf(now), dayOf(now)];
    if (this.#today.name !== day) this.#today = { name: day, sums: noTraffic() };
    for (const [key, cell] of this.#cells) {
      if (!isNoTraffic(cell.sums)) {
        this.#since ??= day;
        addTraffic(this.#all, cell.sums);
        addTraffic(this.#today.sums, cell.sums);
        this.#minutes.add(now, cell.sums);
        this.#pending.add(hour, cell.upstream, cell.repository, cell.sums);
        empty(cell.sums);
      } else if (cell.holders === 0) this.#cells.delete(key);
    }
    for (const [client, cell] of this.#clients) {
      if (!isNoTraffic(cell.sums)) {
        if (this.#parts.keepsClients()) this.#pending.addClient(hour, client, cell.sums);
        empty(cell.sums);
      } else if (cell.holders === 0) this.#clients.delete(client);
    }
  }
}

function addRows(found: Map<string, TrafficSums>, rows: readonly TrafficRow[]): void {
  for (const { name, ...sums } of rows) {
    const known = found.get(name);
    if (known === undefined) found.set(name, sums);
    else addTraffic(known, sums);
  }
}

function empty(sums: TrafficSums): void {
  Object.assign(sums, noTraffic());
}
