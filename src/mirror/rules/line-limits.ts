/**
 * Owns which limits of bandwidth hold now: those of the settings at this hour, and over them what somebody set by command, also over a restart.
 * It tells the Bandwidth, which makes transfers wait.
 */
import { GranaryError } from "../../errors.ts";
import type { RuleRows } from "../../metadata/rule-rows.ts";
import type { Clock, Timer } from "../../observe/clock.ts";
import type { Bandwidth, Limits } from "../../upstream/network/bandwidth.ts";
import { type BandwidthSettings, limitsAt } from "../../upstream/network/bandwidth-hours.ts";

/** A limit that somebody set by command. */
export type TemporaryLimit = {
  /** undefined for all upstreams together. */
  readonly upstream: string | undefined;
  /** Bytes per second; infinite: no limit. */
  readonly bytesPerSecond: number;
  /** Epoch ms; undefined until it is taken back. */
  readonly until: number | undefined;
};

export type LimitsStatus = {
  /** Bytes per second that hold now; undefined where there is no limit. */
  readonly total: number | undefined;
  readonly upstreams: ReadonlyMap<string, number>;
  readonly temporary: readonly TemporaryLimit[];
  /** What flows now, by upstream. */
  readonly flows: ReadonlyMap<string, number>;
};

export type LineLimitsParts = {
  readonly bandwidth: Bandwidth;
  readonly rows: RuleRows;
  readonly clock: Clock;
  /** Names of the upstreams that there are now, each with its other names. */
  readonly upstreams: () => readonly { readonly name: string; readonly aliases: readonly string[] }[];
};

const KIND = "bandwidth";
/** Stands for all upstreams together; none can have this name. */
const ALL = "*";

/** Hours are written in minutes; nobody sees whether one begins some seconds late. */
const LOOK_MS = 10_000;

export class LineLimits {
  readonly #parts: LineLimitsParts;
  #settings: BandwidthSettings;
  /** By upstream; undefined for all together. */
  readonly #temporary = new Map<string | undefined, TemporaryLimit>();
  #timer: Timer | undefined;

  constructor(parts: LineLimitsParts, settings: BandwidthSettings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#apply();
  }

  /** What was set before this process began, and again when somebody else has changed it. Throws `store-damaged`. */
  async open(): Promise<void> {
    const rules = await this.#parts.rows.of(KIND);
    this.#temporary.clear();
    for (const { pattern, detail } of rules) {
      const limit = parseLimit(pattern, detail);
      if (limit !== undefined) this.#temporary.set(limit.upstream, limit);
    }
    this.#apply();
  }

  renew(settings: BandwidthSettings): void {
    this.#settings = settings;
    this.#apply();
  }

  status(): LimitsStatus {
    const limits = this.#now();
    const isLimit = (rate: number | undefined) => rate !== undefined && Number.isFinite(rate);
    return {
      total: isLimit(limits.total) ? limits.total : undefined,
      upstreams: new Map([...limits.upstreams].filter(([, rate]) => isLimit(rate))),
      temporary: this.#standing(),
      flows: this.#parts.bandwidth.flows(),
    };
  }

  /**
   * A limit for one upstream, or for all together, for so many ms or until it is taken back. `isTrial` changes nothing. Throws
   * `route-unknown`, and what kept it from being remembered: then nothing is changed.
   */
  async set(
    bytesPerSecond: number,
    { upstream, forMs }: { readonly upstream?: string | undefined; readonly forMs?: number | undefined },
    isTrial: boolean,
  ): Promise<TemporaryLimit> {
    const name = this.#named(upstream);
    const { rows, clock } = this.#parts;
    const madeAt = clock.now();
    const until = forMs === undefined ? undefined : madeAt + forMs;
    const limit = { upstream: name, bytesPerSecond, until };
    if (isTrial) return limit;
    const detail = `${bytesPerSecond} ${until ?? ""}`;
    await rows.record({ kind: KIND, pattern: name ?? ALL, detail, madeAt });
    this.#temporary.set(name, limit);
    this.#apply();
    return limit;
  }

  /** Takes back what was set by command, for one upstream or everything; what was taken back. */
  async takeBack(upstream: string | undefined, isTrial: boolean): Promise<readonly TemporaryLimit[]> {
    const name = this.#named(upstream);
    const all = this.#standing().filter((limit) => upstream === undefined || limit.upstream === name);
    if (isTrial) return all;
    for (const limit of all) {
      await this.#parts.rows.forget(KIND, limit.upstream ?? ALL);
      this.#temporary.delete(limit.upstream);
    }
    this.#apply();
    return all;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #apply(): void {
    this.#parts.bandwidth.renew(this.#now());
    this.close();
    const changes = (this.#settings.hours?.length ?? 0) > 0 || this.#temporary.size > 0;
    if (changes) this.#timer = this.#parts.clock.after(LOOK_MS, () => this.#apply());
  }

  #now(): Limits {
    const { total, upstreams } = limitsAt(this.#settings, new Date(this.#parts.clock.now()));
    const over = this.#standing();
    const named = over.flatMap(({ upstream, bytesPerSecond }) =>
      upstream === undefined ? [] : [[upstream, bytesPerSecond] as const],
    );
    const all = over.find(({ upstream }) => upstream === undefined);
    return { total: all?.bytesPerSecond ?? total, upstreams: new Map([...upstreams, ...named]) };
  }

  /** Those that are not over; the others are forgotten. */
  #standing(): readonly TemporaryLimit[] {
    const now = this.#parts.clock.now();
    for (const [name, { until }] of this.#temporary)
      if (until !== undefined && until <= now) this.#temporary.delete(name);
    return [...this.#temporary.values()];
  }

  #named(upstream: string | undefined): string | undefined {
    if (upstream === undefined) return undefined;
    const known = this.#parts.upstreams();
    const found = known.find(({ name, aliases }) => name === upstream || aliases.includes(upstream));
    if (found !== undefined) return found.name;
    const names = known.map(({ name }) => name).join(", ");
    throw new GranaryError("route-unknown", `No upstream is called "${upstream}". There are: ${names}.`);
  }
}

/** A limit as `set` wrote it: bytes per second, a space, and until when. undefined for anything else. */
function parseLimit(pattern: string, detail = ""): TemporaryLimit | undefined {
  const [rate, until] = detail.split(" ");
  const bytesPerSecond = Number(rate);
  if (!(bytesPerSecond > 0)) return undefined;
  return {
    upstream: pattern === ALL ? undefined : pattern,
    bytesPerSecond,
    until: until === undefined || until === "" ? undefined : Number(until),
  };
}
